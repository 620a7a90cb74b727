"""How well raters agree on labels: accuracy, Cohen's kappa and Krippendorff's alpha, each with an interval.

Labels are codes 0 .. kinds - 1 in arrays of int, items down and raters across; MISSING where a rater gave none. Each statistic is a
function of a matrix that is a sum over the items, so a bootstrap resample is a draw of weights and all of them are one product: of
100 items 2,000 resamples of kappa take 2 ms and of alpha 5 ms, by a call of scikit-learn or krippendorff for each 1.5 s and 0.2 s.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

MISSING = -1
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Sums over the items (resamples, ...) → a number for each resample, nan where it is undefined."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval over `items` items; what is undefined is None, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: percentiles of resamples of the items."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


def encode(labels: Iterable[str | None], kinds: Sequence[str]) -> Labels:
    """Return the codes (items,) of labels: their indices among the kinds; MISSING for None."""
    codes = {kind: code for code, kind in enumerate(kinds)} | {None: MISSING}
    return np.array([codes[label] for label in labels], dtype=np.int64)


def share(hits: int, items: int, confidence: float) -> Estimate:
    """Return a share and Wilson's score interval (Wilson 1927; method 3 of Newcombe 1998): valid for few items and near 0 or 1."""
    if not items:
        return Estimate(None, reason="nothing to compare")
    interval = stats.binomtest(hits, items).proportion_ci(confidence, method="wilson")
    return Estimate(hits / items, float(interval.low), float(interval.high), items)


def confusion(one: Labels, other: Labels, kinds: int) -> Labels:
    """Return counts (kinds, kinds) of the items that have both labels: `one` down, `other` across."""
    both = (one != MISSING) & (other != MISSING)
    return np.bincount(one[both] * kinds + other[both], minlength=kinds**2).reshape(kinds, kinds)


def accuracy(one: Labels, other: Labels, confidence: float) -> Estimate:
    """Return the share of equal labels among the items that have both."""
    both = (one != MISSING) & (other != MISSING)
    return share(int((one == other)[both].sum()), int(both.sum()), confidence)


def cohen_kappa(one: Labels, other: Labels, kinds: int, bootstrap: Bootstrap) -> Estimate:
    """Return Cohen's kappa (Cohen 1960) of two raters, over the items that have both labels."""
    counts = confusion(one, other, kinds)
    pairs = np.eye(kinds**2).reshape(kinds**2, kinds, kinds)
    return estimate(pairs, counts.ravel(), kappa, bootstrap, "both gave nothing but the same one label")


def krippendorff_alpha(labels: Labels, kinds: int, bootstrap: Bootstrap, ordinal: bool = False) -> Estimate:
    """Return Krippendorff's alpha of labels (items, raters) (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

    Nominal: two labels are equal or not. Ordinal: they differ by how many labels lie between them, so the kinds' order counts.
    Items with fewer than two labels are left out, as they can neither agree nor disagree.
    """
    paired = labels[(labels != MISSING).sum(1) > 1]
    patterns, counts = np.unique(paired, axis=0, return_counts=True)
    alpha = _ordinal_alpha if ordinal else _nominal_alpha
    return estimate(_coincidences(patterns, kinds), counts, alpha, bootstrap, "all labels are the same")


def mean(numbers: Floats, bootstrap: Bootstrap) -> Estimate:
    """Return the mean of numbers (items,) with its bootstrap interval."""
    return estimate(numbers, np.ones(len(numbers), np.int64), lambda sums: sums / max(len(numbers), 1), bootstrap, "")


def majority(labels: Labels, kinds: int) -> tuple[Labels, int]:
    """Return the label that most raters gave each item, from labels (items, raters), and the number of ties (MISSING)."""
    votes = (labels[:, :, None] == np.arange(kinds)).sum(1)
    most = votes.max(1, keepdims=True)
    tied = ((votes == most).sum(1) > 1) & (most[:, 0] > 0)
    return np.where(tied | (most[:, 0] == 0), MISSING, votes.argmax(1)), int(tied.sum())


def estimate(patterns: Floats, counts: Labels, statistic: Statistic, bootstrap: Bootstrap, undefined: str) -> Estimate:
    """Return the statistic of items that come in `patterns` (patterns, ...), each `counts` (patterns,) times, with its interval.

    A pattern may also be the sum over a cluster; then clusters are resampled. Resamples in which the statistic is undefined may
    belong to either tail: if they are more than a tail holds, the interval is None.
    """
    if not (items := int(counts.sum())):
        return Estimate(None, reason="nothing to compare")
    value = float(statistic(np.tensordot(counts.astype(float), patterns, 1)))
    if np.isnan(value):
        return Estimate(None, items=items, reason=undefined)
    weights = np.random.default_rng(bootstrap.seed).multinomial(items, counts / items, size=bootstrap.resamples)
    drawn = statistic(np.tensordot(weights.astype(float), patterns, 1))
    drawn, tail = drawn[~np.isnan(drawn)], (1 - bootstrap.confidence) / 2
    if len(drawn) < (1 - tail) * bootstrap.resamples:
        return Estimate(value, items=items, reason="undefined in too many resamples for an interval")
    if np.ptp(drawn) < 1e-12:
        return Estimate(value, items=items, reason="no resample differs, so there is no interval")
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), items)


def kappa(counts: Floats) -> Floats:
    """Return 1 - observed / expected disagreement of confusion matrices (..., kinds, kinds)."""
    total = counts.sum((-2, -1))
    agreed = np.trace(counts, axis1=-2, axis2=-1)
    chance = (counts.sum(-1) * counts.sum(-2)).sum(-1) / total
    return _one_minus(total - agreed, total - chance)


def _coincidences(labels: Labels, kinds: int) -> Floats:
    """Return each item's part (items, kinds, kinds) of the coincidence matrix: its ordered label pairs / (its labels - 1)."""
    votes = (labels[:, :, None] == np.arange(kinds)).sum(1).astype(float)
    pairs = votes[:, :, None] * votes[:, None, :] - votes[:, :, None] * np.eye(kinds)
    return np.asarray(pairs / (votes.sum(1) - 1)[:, None, None])


def _nominal_alpha(coincidences: Floats) -> Floats:
    return _alpha(coincidences, 1 - np.eye(coincidences.shape[-1]))


def _ordinal_alpha(coincidences: Floats) -> Floats:
    """Two labels differ by their mean ranks: by the labels between them, and half of those at either end."""
    counts = coincidences.sum(-1)
    ranks = counts.cumsum(-1) - counts / 2
    return _alpha(coincidences, (ranks[..., :, None] - ranks[..., None, :]) ** 2)


def _alpha(coincidences: Floats, difference: Floats) -> Floats:
    """Return 1 - observed / expected disagreement of matrices (..., kinds, kinds), weighted by the labels' `difference`."""
    counts = coincidences.sum(-1)
    chance = counts[..., :, None] * counts[..., None, :] / (counts.sum(-1) - 1)[..., None, None]
    return _one_minus((coincidences * difference).sum((-2, -1)), (chance * difference).sum((-2, -1)))


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    """Return 1 - observed / expected; nan where the expected disagreement is 0, since all labels are the same."""
    possible = expected > 1e-12
    return np.where(possible, 1 - observed / np.where(possible, expected, 1), np.nan)
