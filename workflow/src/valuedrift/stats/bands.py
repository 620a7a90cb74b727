"""Simultaneous bands: intervals of many means over the same prompts that hold all at once."""

from functools import lru_cache

import numpy as np
from scipy import special

from valuedrift.stats.shares import Floats


def joint_confidence(sample: Floats, confidence: float, resamples: int, seed: int) -> float:
    """Return the confidence that each mean's own interval needs so that all hold at once with `confidence`.

    sample: (prompts, means), nan where a prompt has no number. The largest standardized deviation of any mean (max-t) is that of a
    Gaussian multiplier bootstrap over prompts (Chernozhukov, Chetverikov and Kato 2013), in which means that go along with each
    other count as few. Its quantile gives the confidence, not a half-width: the intervals stay those of shares, in [0, 1].
    """
    known = ~np.isnan(sample)
    centred = np.where(known, sample - np.where(known, sample, 0).sum(0) / np.maximum(known.sum(0), 1), 0)
    size = np.sqrt((centred**2).sum(0))
    varying = size > 1e-9
    if not varying.any():
        return confidence
    largest = np.abs(_multipliers(len(sample), resamples, seed) @ (centred[:, varying] / size[varying])).max(1)
    return max(confidence, float(1 - 2 * special.ndtr(-np.quantile(largest, confidence))))


@lru_cache(maxsize=4)
def _multipliers(prompts: int, resamples: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((resamples, prompts))
