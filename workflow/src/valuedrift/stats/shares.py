"""Intervals of a mean of probabilities over prompts, and of the difference of two such means.

Student's t fails near 0 and 1: its 95% interval of a share of .003 covers it in 2 to 60%, leaves [0, 1] or has no width. These
cover 94 to 98%, more where almost all responses are the same; they are as wide as t's where t is right, and have a closed form.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special  # a third of the time that scipy.stats takes to import, in each of a study's jobs

from valuedrift.stats.seeds import Seeds

Floats = npt.NDArray[np.float64]
EXTREMES = 0.5
"""Prompts at either end of [0, 1] that a limit allows for unseen, as Jeffreys' prior of a share does."""
SMALLEST = 1e-9
"""The smallest p-value that is told apart."""


class Limits(NamedTuple):
    """Lower and upper limits (cells,)."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class Sums:
    """What the limits of cells need (cells,): how many prompts each has, and the sums of their probabilities and the squares."""

    prompts: Floats
    total: Floats
    squares: Floats

    @classmethod
    def of(cls, sample: Floats) -> "Sums":
        """Return the sums of probabilities (..., prompts)."""
        prompts = np.full(sample.shape[:-1], float(sample.shape[-1]))
        return cls(prompts, sample.sum(-1), (sample**2).sum(-1))

    @classmethod
    def of_each(cls, samples: Sequence[Floats]) -> "Sums":
        """Return the sums of samples of different sizes, each (prompts,), one a cell."""
        sums = np.array([(len(sample), sample.sum(), (sample**2).sum()) for sample in samples]).reshape(-1, 3)
        return cls(*sums.T)

    @property
    def mean(self) -> Floats:
        """The mean of each cell; nan where there is no prompt."""
        return self.total / np.where(self.prompts > 0, self.prompts, np.nan)

    def at(self, cells: npt.NDArray[np.int64]) -> "Sums":
        """Return some of the cells."""
        return Sums(self.prompts[cells], self.total[cells], self.squares[cells])


def limits(sums: Sums, tail: float | Floats, seeds: Seeds | None = None) -> Limits:
    """Return limits that the true mean lies below, or above, with probability `tail` each; one prompt says nothing: [0, 1].

    The mean is a Bayesian bootstrap's (Rubin 1981): prompts have random weights, whose spread gives the mean the variance s² / n.
    What no prompt shows is allowed for by half a prompt at the end of [0, 1] where the limit is, less where several independent
    responses make a prompt worth several. The distribution is taken for the beta with the same mean and variance, which it is where
    all prompts are 0 or 1.

    Where `sums` are of means over seeds, `seeds` widens them.
    """
    n, total, squares = sums.prompts, sums.total, sums.squares
    weight = np.maximum((n - 1) * _tail_weight(n, tail) - 1, 0.5)  # a sum of A gives the variance s² (n - 1) / n / (A + 1)
    extreme = EXTREMES * _design_effect(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, square = weight / n * total, weight / n * squares
        low = _beta_quantile(tail, share, square, weight + extreme)
        high = _beta_quantile(1 - np.asarray(tail), share + extreme, square + extreme, weight + extreme)
        low, high = np.minimum(low, sums.mean), np.maximum(high, sums.mean)
        if seeds is not None:
            low = np.maximum(sums.mean - seeds.widened(sums.mean - low, tail), 0.0)
            high = np.minimum(sums.mean + seeds.widened(high - sums.mean, tail), 1.0)
    return Limits(np.where(n > 1, low, 0.0), np.where(n > 1, high, 1.0))


@dataclass(frozen=True)
class Pairs:
    """Two estimates over the same prompts, with the correlation of the prompts' numbers (cells,): two means, or two differences of
    such means. `seeds` is what seeds add to the error of the difference, where a prompt's numbers are means over them."""

    first: "Sums | Pairs"
    last: "Sums | Pairs"
    correlation: Floats
    seeds: Seeds | None = None

    @classmethod
    def of(cls, first: Floats, last: Floats) -> "Pairs":
        """Return the pairs of probabilities (..., prompts) of the same prompts."""
        sums = Sums.of(first), Sums.of(last)
        return cls(*sums, _correlation(*sums, (first * last).sum(-1), _unseen_change(*sums)))

    @classmethod
    def of_each(cls, first: Sequence[Floats], last: Sequence[Floats], seeds: Seeds | None = None) -> "Pairs":
        """Return the pairs of samples of different sizes, each two (prompts,), one pair a cell."""
        products = np.array([(a * b).sum() for a, b in zip(first, last, strict=True)])
        sums = Sums.of_each(first), Sums.of_each(last)
        return cls(*sums, _correlation(*sums, products, _unseen_change(*sums)), seeds)

    @classmethod
    def of_differences(
        cls,
        first: tuple[Sequence[Floats], Sequence[Floats]],
        last: tuple[Sequence[Floats], Sequence[Floats]],
        seeds: Seeds | None = None,
    ) -> "Pairs":
        """Return the pairs of two differences, each given as its two samples, over the same prompts (prompts,), one pair a cell.

        Half a prompt may have changed by 1 in either difference alone, which weakens a positive correlation. Without it that of one
        or two prompts is 1 by chance: of 4,000 samples of 10 prompts, a rare stance and no difference .55% had p < .0005; now none.
        """
        one, other = ([b - a for a, b in zip(*side, strict=True)] for side in (first, last))
        products = np.array([(a * b).sum() for a, b in zip(one, other, strict=True)])
        correlation = _correlation(Sums.of_each(one), Sums.of_each(other), products, unseen=EXTREMES)
        return cls(cls.of_each(*first), cls.of_each(*last), correlation, seeds)

    @property
    def mean(self) -> Floats:
        """The mean difference, last less first (cells,)."""
        found: Floats = self.last.mean - self.first.mean
        return found

    @property
    def prompts(self) -> Floats:
        """How many prompts each cell has."""
        return self.first.prompts

    @property
    def most(self) -> float:
        """The largest difference that is possible."""
        return 2 * self.first.most if isinstance(self.first, Pairs) else 1.0

    def at(self, cells: npt.NDArray[np.int64]) -> "Pairs":
        """Return some of the cells."""
        seeds = self.seeds and self.seeds.at(cells)
        return Pairs(self.first.at(cells), self.last.at(cells), self.correlation[cells], seeds)


def difference_limits(pairs: Pairs, tail: float | Floats) -> Limits:
    """Return limits of the difference, last less first, made of both sides' limits and the correlation of the prompts.

    The method of variance estimates recovery (Zou and Donner 2008; for paired shares method 10 of Newcombe 1998): each side's
    distance to its limit stands for its standard error there. The limits of a difference of means stay in [-1, 1], those of a
    difference of differences in [-2, 2]; one prompt says nothing.
    """
    (low1, high1), (low2, high2) = (
        difference_limits(side, tail) if isinstance(side, Pairs) else limits(side, tail) for side in (pairs.first, pairs.last)
    )
    m1, m2, r, most = pairs.first.mean, pairs.last.mean, pairs.correlation, pairs.most
    down = _combined(m2 - low2, high1 - m1, r)
    up = _combined(high2 - m2, m1 - low1, r)
    if pairs.seeds is not None:
        down, up = pairs.seeds.widened(down, tail), pairs.seeds.widened(up, tail)
    low, high = np.maximum(m2 - m1 - down, -most), np.minimum(m2 - m1 + up, most)
    several = pairs.prompts > 1
    return Limits(np.where(several, low, -most), np.where(several, high, most))


def p_above(pairs: Pairs, bound: float) -> Floats:
    """Return the one-sided p-values (cells,) against "the true difference is at least `bound`": small where it is below."""
    return _tail(pairs, lambda found: found.high - bound)


def p_below(pairs: Pairs, bound: float) -> Floats:
    """Return the one-sided p-values (cells,) against "the true difference is at most `bound`": small where it is above."""
    return _tail(pairs, lambda found: bound - found.low)


def p_moved(pairs: Pairs) -> Floats:
    """Return the two-sided p-values (cells,) against "there is no difference", those of the limits."""
    p: Floats = np.minimum(1.0, 2 * np.minimum(p_above(pairs, 0.0), p_below(pairs, 0.0)))
    return p


def p_preserved(pairs: Pairs, margin: float) -> Floats:
    """Return the p-values (cells,) against "the difference is `margin` or more": two one-sided tests (Schuirmann 1987)."""
    return np.maximum(p_above(pairs, margin), p_below(pairs, -margin))


def _tail_weight(prompts: Floats, tail: float | Floats) -> Floats:
    """Return what is left of the weights in tails thinner than 2.5%, where the estimate of s² has an error too.

    It is the squared ratio of normal to Student's t quantiles, relative to that at 2.5%, where the weight at the ends makes up for
    it: of 6,000 samples of 10 prompts without a difference .40% had p < .0005 without this, and none with it; of 50 prompts .03%.
    """
    freedom = np.maximum(prompts - 1, 1)
    ratio = [special.ndtri(at) / special.stdtrit(freedom, at) for at in (np.minimum(tail, 0.49), 0.025)]
    left: Floats = np.minimum(1.0, (ratio[0] / ratio[1]) ** 2)
    return left


def _design_effect(sums: Sums) -> Floats:
    """Return by how much the prompts vary (cells,), as a share of what single responses of 0 and 1 with the same mean would.

    Both with half a prompt at either end, so that a sample without the rare stance counts as one of single responses.
    """
    n, total, squares = sums.prompts + 1, sums.total + 0.5, sums.squares + 0.5
    mean = total / n
    effect: Floats = (squares / n - mean**2) / (mean * (1 - mean))
    return effect


def _beta_quantile(at: float | Floats, total: Floats, squares: Floats, weight: Floats) -> Floats:
    """Return quantiles of the beta with the mean and variance of a Dirichlet-weighted mean; the mean where it does not vary."""
    mean = total / weight
    variance = (squares / weight - mean**2) / (weight + 1)
    size = np.where(variance > 1e-15, mean * (1 - mean) / np.maximum(variance, 1e-15) - 1, np.inf)
    found = np.isfinite(size) & (mean > 0) & (mean < 1)
    size, inner = np.where(found, size, 2.0), np.where(found, mean, 0.5)
    with warnings.catch_warnings():  # of a search that ends early where the limit is below 1e-300
        warnings.simplefilter("ignore", RuntimeWarning)
        quantile = special.betaincinv(inner * size, (1 - inner) * size, at)
    return np.where(found, np.where(np.isnan(quantile), np.round(inner), quantile), mean)


def _combined(one: Floats, other: Floats, correlation: Floats) -> Floats:
    return np.sqrt(np.maximum(one**2 - 2 * correlation * one * other + other**2, 0))


def _unseen_change(first: Sums, last: Sums) -> Floats:
    """Return what half a prompt with one changed response adds to each side's sum of squares (cells,).

    Without it two samples that are the same have a correlation of 1 and an interval without width: with 50 prompts of one response,
    of which 2% change to the stance, 95% intervals covered 64% (now 100), with five 87% (96); where 30% are drawn anew 95% (97).
    """
    return EXTREMES / 2 * _design_effect(first) * _design_effect(last)


def _correlation(first: Sums, last: Sums, products: Floats, unseen: float | Floats) -> Floats:
    """Return Pearson's correlation over prompts, given sums of products of their two numbers; 0 where a side is constant.

    `unseen` is added to both sums of squares about the mean where the correlation is positive.
    """
    n = np.maximum(first.prompts, 1)
    shared = products - first.total * last.total / n
    spread = [np.maximum(side.squares - side.total**2 / n, 0) + unseen * (shared > 0) for side in (first, last)]
    product = np.sqrt(spread[0] * spread[1])
    varies = product > 1e-12
    return np.clip(np.where(varies, shared / np.where(varies, product, 1), 0.0), -1, 1)


def _tail(pairs: Pairs, distance: Callable[[Limits], Floats]) -> Floats:
    """Return the tail at which a limit meets its bound, and 1 where it is beyond it at each; beyond it, `distance` is above 0."""

    def of(logit: Floats, cell: Floats) -> Floats:
        return distance(difference_limits(pairs.at(cell.astype(int)), 1 / (1 + np.exp(-logit))))

    cells = np.arange(len(pairs.prompts), dtype=float)
    smallest = np.full(len(cells), np.log(SMALLEST))
    at_smallest, at_half = of(smallest, cells), of(np.zeros_like(smallest), cells)
    p = np.where(at_smallest <= 0, SMALLEST, 1.0)
    inside = (at_smallest > 0) & (at_half < 0)
    if inside.any():
        from scipy.optimize import elementwise  # 0.1 s, which values do without

        bracket = (smallest[inside], np.zeros(int(inside.sum())))
        p[inside] = 1 / (1 + np.exp(-elementwise.find_root(of, bracket, args=(cells[inside],)).x))
    return p
