"""Confidence intervals of a mean over prompts."""

import numpy as np
from scipy import stats

from valuedrift.config.drift import ValuesConfig


def mean_interval(sample: np.ndarray, config: ValuesConfig, seed: int) -> tuple[float | None, float | None, float | None]:
    """Return mean and interval (mean, low, high) of a sample (prompts,); an empty one has no mean, one prompt no interval (None).

    t: mean ± t(n-1) · s / √n; normal: the same with the normal quantile; bootstrap: percentiles of the means of resamples.
    """
    if len(sample) == 0:
        return None, None, None
    mean = float(sample.mean())
    if len(sample) == 1:
        return mean, None, None
    if config.interval == "bootstrap":
        drawn = np.random.default_rng(seed).integers(len(sample), size=(config.resamples, len(sample)))
        tail = (1 - config.confidence) / 2
        low, high = np.quantile(sample[drawn].mean(1), [tail, 1 - tail])
        return mean, float(low), float(high)
    upper = (1 + config.confidence) / 2
    quantile = stats.norm.ppf(upper) if config.interval == "normal" else stats.t.ppf(upper, len(sample) - 1)
    half = float(quantile * sample.std(ddof=1) / np.sqrt(len(sample)))
    return mean, mean - half, mean + half
