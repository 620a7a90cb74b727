"""Confidence intervals of means over prompts, and of their paired differences, of the kind that the config chooses."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from valuedrift.config.drift import ValuesConfig
from valuedrift.stats.shares import Floats, Limits, Pairs, Sums, difference_limits, limits


class Interval(NamedTuple):
    """A mean and its interval; None where there is none."""

    mean: float | None
    low: float | None
    high: float | None


def share_intervals(
    samples: Sequence[Floats], config: ValuesConfig, seed: int, confidence: Sequence[float] | None = None
) -> list[Interval]:
    """Return the interval of the mean of each sample of probabilities (prompts,), each at its own confidence if that is given."""
    at = [config.confidence] * len(samples) if confidence is None else confidence
    if config.interval != "beta":
        return [_interval(sample, config.at(each), seed) for sample, each in zip(samples, at, strict=True)]
    sums = Sums.of_each(samples)
    return _joined(sums.mean, limits(sums, (1 - np.array(at)) / 2))


def difference_intervals(first: Sequence[Floats], last: Sequence[Floats], config: ValuesConfig, seed: int) -> list[Interval]:
    """Return the interval of the mean difference, last less first, of each two samples over the same prompts (prompts,)."""
    return pair_intervals(Pairs.of_each(first, last), [b - a for a, b in zip(first, last, strict=True)], config, seed)


def pair_intervals(pairs: Pairs, differences: Sequence[Floats], config: ValuesConfig, seed: int) -> list[Interval]:
    """Return the interval of the difference of each pair; `differences` are those of its prompts (prompts,)."""
    if config.interval != "beta":
        return [_interval(np.sort(sample), config, seed) for sample in differences]
    return _joined(pairs.mean, difference_limits(pairs, (1 - config.confidence) / 2))


def _joined(means: Floats, found: Limits) -> list[Interval]:
    rows = (tuple(map(float, row)) for row in zip(means, *found, strict=True))
    return [Interval(None, None, None) if math.isnan(row[0]) else Interval(*row) for row in rows]


def _interval(sample: Floats, config: ValuesConfig, seed: int) -> Interval:
    """Return mean and interval of a sample (prompts,); an empty one has no mean, one prompt no interval.

    t: mean ± t(n-1) · s / √n; normal: the same with the normal quantile; bootstrap: percentiles of the means of resamples.
    """
    if len(sample) == 0:
        return Interval(None, None, None)
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, None, None)
    if config.interval == "bootstrap":
        drawn = np.random.default_rng(seed).integers(len(sample), size=(config.resamples, len(sample)))
        tail = (1 - config.confidence) / 2
        low, high = np.quantile(sample[drawn].mean(1), [tail, 1 - tail])
        return Interval(mean, float(low), float(high))
    upper = (1 + config.confidence) / 2
    quantile = special.ndtri(upper) if config.interval == "normal" else special.stdtrit(len(sample) - 1, upper)
    half = float(quantile * sample.std(ddof=1) / np.sqrt(len(sample)))
    return Interval(mean, mean - half, mean + half)
