"""How often all values of a trajectory lie in its simultaneous band at once."""

from collections.abc import Iterator

import numpy as np
from scipy import stats
from simulated import PROMPTS, Row

from valuedrift.stats.bands import joint_confidence
from valuedrift.stats.shares import Floats, Limits, Sums, limits

CONFIDENCE = 0.95
STANCES = {"common": ((0.3, 0.5), (0.3, 0.2)), "rare": ((0.1, 0.3), (0.02, 0.02)), "very rare": ((0.3, 0.6), (0.005, 0.005))}
"""Shares of support and of oppose at the first and at the last checkpoint."""


def stances(rng: np.random.Generator, support: Floats, oppose: Floats, prompts: int) -> tuple[Floats, Floats]:
    """Return prompt means (prompts, checkpoints x 3) of five responses, as of `simulated.trajectories`, and the true shares."""
    own, same = rng.standard_normal((prompts, 1, 1), np.float32), rng.standard_normal((prompts, 5, 1), np.float32)
    latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.standard_normal((prompts, 5, len(support)), np.float32))
    first, last = (latent < stats.norm.ppf(support)).mean(1), (latent > stats.norm.isf(oppose)).mean(1)
    return np.concatenate([first, 1 - first - last, last], 1), np.concatenate([support, 1 - support - oppose, oppose])


def joint_coverage(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield how often the band, and the intervals of the single values, hold all; and how many times as wide the band is."""
    for name, (support, oppose) in STANCES.items():
        for checkpoints in (10, 60):
            for prompts in PROMPTS:
                held: dict[str, list[float]] = {"band": [], "intervals": [], "wider": []}
                for draw in range(draws):
                    shares = (np.linspace(*ends, checkpoints + 1) for ends in (support, oppose))
                    sample, true = stances(rng, *shares, prompts)
                    sums, joint = Sums.of(sample.T), joint_confidence(sample, CONFIDENCE, 500, draw)
                    found = {kind: limits(sums, (1 - level) / 2) for kind, level in (("band", joint), ("intervals", CONFIDENCE))}
                    for kind, ends in found.items():
                        held[kind].append(float(((ends.low <= true) & (true <= ends.high)).all()))
                    held["wider"].append(_width(found["band"]) / _width(found["intervals"]))
                yield {"stances": name, "checkpoints": checkpoints, "prompts": prompts} | {
                    kind: float(np.mean(numbers)) for kind, numbers in held.items()
                }


def _width(found: Limits) -> float:
    return float((found.high - found.low).mean())
