"""When a trajectory of means over prompts has made half, or 90%, of its change: estimates of something that does not depend on how
many prompts there are.

The first checkpoint of a noisy trajectory above half of its noisy maximum comes too early on a slow rise, and one above 90% too
late on a plateau. Here the extremum is cross-fitted, chosen on some prompts and measured on the others, so that the one chosen is
not a lucky one; and a level is crossed where the isotonic fit up to the extremum crosses it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from valuedrift.stats.shares import Floats

Whole = npt.NDArray[np.intp]
WIDTHS = (0.1, 0.15, 0.2, 0.3)
"""Half-widths of smoothing before the extremum is chosen, as shares of the trajectory; the data choose among them and none."""
FOLDS = 5
"""Parts of the prompts, of which each measures the extremum that the others choose."""
BIG = 1e6
"""Beyond every sum of probabilities: no crossing is after the extremum."""


class Crossing(NamedTuple):
    """When a level was crossed, and the limits of the confidence set, in the units of the checkpoints' times."""

    at: float
    low: float
    high: float

    def on_grid(self, at: Floats) -> "Crossing":
        """Return it with limits moved out to the next of the checkpoints `at`, between which no crossing can be placed."""
        ends = np.searchsorted(at, self.low + 1e-9, "right") - 1, np.searchsorted(at, self.high - 1e-9)
        return Crossing(self.at, float(at[ends[0]]), float(at[ends[1]]))


def crossings(
    sample: Floats, at: Floats, levels: Sequence[float], extremum: Literal["direction", "farthest"], weights: Floats, tail: float
) -> list[Crossing | None]:
    """Return when a trajectory had made each of `levels` (shares) of its change from the start to the extremum.

    sample: probabilities (prompts, checkpoints), nan where a prompt was not scored, the start first. at: times (checkpoints,), from
    0 up. extremum: the highest mean if the last is above the first, else the lowest (direction), or the farthest from the start.
    weights: whole numbers (resamples, prompts) of a bootstrap of prompts; in each resample sign, extremum and level are found anew.
    A set ends where `tail` of the resamples are beyond. None where there is no change: where the extremum is not beyond the start.
    """
    values = _complete(sample)
    smoothed = values @ _smoother(values, at).T
    both = np.concatenate([np.ones((1, len(values))), weights])  # the first column below is the sample itself
    both = (both / both.sum(1, keepdims=True)).T
    mean = values.T @ both  # (checkpoints, 1 + resamples), and so is each part
    parts = [smoothed[fold::FOLDS].T @ both[fold::FOLDS] for fold in range(FOLDS)]
    change, rises = mean - mean[0], np.sum(parts, axis=0) - mean[0]
    sign = np.where((change[-1] if extremum == "direction" else rises.max(0) + rises.min(0)) < 0, -1.0, 1.0)
    change, rises, parts = change * sign, rises * sign, [part * sign for part in parts]
    top = -sign * mean[0]
    for part in parts:
        best = (rises - part)[1:].argmax(0)[None] + 1
        top += np.take_along_axis(part, best, 0)[0]
    end = rises[1:].argmax(0) + 1
    found = [_crossed(change, at, level * top, end, top > 1e-9) for level in levels]
    return [_with_set(times, at, tail) for times in found]


def _complete(sample: Floats) -> Floats:
    """Return pseudo-values (prompts, checkpoints) without gaps, whose means are those of the prompts that were scored, and vary as
    much (the infinitesimal jackknife; Efron 1982)."""
    scored = ~np.isnan(sample)
    share = scored.mean(0)
    mean = np.where(scored, sample, 0.0).mean(0) / share
    found: Floats = mean + np.where(scored, sample - mean, 0.0) / share
    return found


def _crossed(change: Floats, at: Floats, level: Floats, end: Whole, rises: npt.NDArray[np.bool_]) -> Floats:
    """Return when the isotonic fit of change (checkpoints, columns) up to the checkpoint `end` (columns,) crosses level (columns,);
    nan where it does not rise.

    The fit is below a level up to where the sum of (change - level) is least (the switching relation of Groeneboom 1985), which
    needs no fit. Its values on both sides are means of blocks that end, or begin, there.
    """
    index = np.arange(len(change))[:, None]
    inside = index <= end
    gaps = np.cumsum(np.where(inside, change - level, BIG), 0)
    last = gaps.argmin(0)  # the last checkpoint below the level
    least = np.take_along_axis(gaps, last[None], 0)
    sums = np.concatenate([np.zeros((1, len(level))), gaps[:-1]]) - least  # from each checkpoint to the last one below, negated
    size = index - last  # of the blocks above
    below = np.where(size <= 0, -sums / np.maximum(1 - size, 1), -np.inf).max(0)
    above = np.where((size > 0) & inside, (gaps - least) / np.maximum(size, 1), np.inf).min(0)
    reached = np.isfinite(above)
    part = np.where(reached, -below / np.maximum(np.where(reached, above, 0) - below, 1e-15), 1.0)
    following = np.minimum(last + 1, end)
    return np.where(rises, at[last] + np.clip(part, 0, 1) * (at[following] - at[last]), np.nan)


def _with_set(times: Floats, at: Floats, tail: float) -> Crossing | None:
    """Return the first time with its set from the others; a resample without a change says nothing, and is beyond both limits."""
    if np.isnan(times[0]):
        return None
    low = np.quantile(np.nan_to_num(times[1:], nan=at[0]), tail)
    high = np.quantile(np.nan_to_num(times[1:], nan=at[-1]), 1 - tail)
    return Crossing(float(times[0]), float(min(low, times[0])), float(max(high, times[0])))


def _smoother(values: Floats, at: Floats) -> Floats:
    """Return the smoothing (checkpoints, checkpoints) of least estimated risk: Mallows' C_L with the covariance of the means, which
    the prompts show. The start stays as it is, since training often begins with a jump.
    """
    mean = values.mean(0)
    covariance = (values - mean).T @ (values - mean) / len(values) ** 2
    candidates = _smoothers(tuple(at.tolist()))
    risks = [((mean - smooth @ mean) ** 2).sum() + 2 * (smooth * covariance).sum() for smooth in candidates]
    return candidates[int(np.argmin(risks))]


@lru_cache(maxsize=8)
def _smoothers(at: tuple[float, ...]) -> list[Floats]:
    """Return no smoothing, then local linear regressions on checkpoints (tricube weights, Cleveland 1979) of each of WIDTHS."""
    found = [np.eye(len(at))]
    times = np.array(at[1:])
    for width in WIDTHS:
        smooth = np.eye(len(at))
        distance = times - times[:, None]
        weight = np.clip(1 - np.abs(distance / (width * at[-1])) ** 3, 0, None) ** 3
        first, second = (weight * distance).sum(1, keepdims=True), (weight * distance**2).sum(1, keepdims=True)
        local = weight * (second - first * distance)
        several = (weight > 1e-6).sum(1) > 1
        smooth[1:, 1:][several] = local[several] / local[several].sum(1, keepdims=True)
        found.append(smooth)
    return found
