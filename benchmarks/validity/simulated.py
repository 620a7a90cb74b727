"""Responses whose true shares are known."""

from typing import TypeAlias

import numpy as np
from scipy import stats

from valuedrift.stats.shares import Floats, Limits

PROMPTS = (10, 50, 200)
TAIL = 0.025
Row: TypeAlias = dict[str, object]
"""A row of a table: heading and cell."""


def responses(
    rng: np.random.Generator, share: float, prompts: int, count: int, correlation: float, sure: bool, draws: int
) -> Floats:
    """Return prompt means (draws, prompts) of `count` responses.

    A prompt has its own propensity, a beta of this share and correlation; a judge that is not sure gives each response a beta of
    the same mean and the size 3.
    """
    size = (1 - correlation) / max(correlation, 1e-9)
    own = rng.beta(share * size, (1 - share) * size, (draws, prompts, 1)) if correlation else np.full((draws, prompts, 1), share)
    if sure:
        return np.asarray((rng.random((draws, prompts, count)) < own).mean(2))
    own = np.repeat(np.clip(own, 1e-9, 1 - 1e-9), count, axis=2)
    return np.asarray(rng.beta(3 * own, 3 * (1 - own)).mean(2))


def pairs(rng: np.random.Generator, first: Floats, last: Floats, prompts: int) -> tuple[Floats, Floats]:
    """Return prompt means (cells, prompts) of five responses at both ends.

    The shares (cells,) are thresholds of normal propensities, of which 30% are a prompt's own and 35% the same at both ends, as
    with the same seeds.
    """
    shape = (len(first), prompts, 5)
    own, same = rng.standard_normal((*shape[:2], 1), np.float32), rng.standard_normal(shape, np.float32)
    sides = []
    for share in (first, last):
        latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.standard_normal(shape, np.float32))
        sides.append((latent < stats.norm.ppf(share)[:, None, None]).mean(2))
    return sides[0], sides[1]


def trajectories(rng: np.random.Generator, shares: Floats, prompts: int) -> Floats:
    """Return prompt means (prompts, checkpoints) of five responses as those of `pairs`, given the share at each checkpoint."""
    own, same = rng.standard_normal((prompts, 1, 1), np.float32), rng.standard_normal((prompts, 5, 1), np.float32)
    latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.standard_normal((prompts, 5, len(shares)), np.float32))
    return np.asarray((latent < stats.norm.ppf(shares)).mean(1))


def covered(found: Limits, truth: float) -> float:
    """Return the share of limits that hold the truth."""
    return float(((found.low <= truth) & (truth <= found.high)).mean())
