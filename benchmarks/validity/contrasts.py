"""What the intervals and tests of a contrast of two drifts are worth.

A contrast of two values is a paired difference, as a drift magnitude is; one of two drifts has four means over the same prompts.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from coverage import students_t
from scipy import stats
from simulated import PROMPTS, TAIL, Row, covered

from valuedrift.stats.shares import Floats, Pairs, difference_limits, p_moved

RESPONSES, MARGIN = 5, 0.05
SHARES = (
    (0.02, 0.02, 0.02, 0.02), (0.3, 0.3, 0.3, 0.3), (0.1, 0.3, 0.3, 0.5), (0.02, 0.1, 0.3, 0.3), (0.5, 0.98, 0.5, 0.5),
    (0.02, 0.3, 0.05, 0.33), (0.5, 0.6, 0.3, 0.45),
)  # fmt: skip
"""Shares at the first and last checkpoint of one run and of the other; in the last pair the drifts differ by the margin."""


def checkpoints(rng: np.random.Generator, shares: Sequence[float], prompts: int, draws: int) -> list[Floats]:
    """Return prompt means (draws, prompts) of five responses at each checkpoint.

    The shares are thresholds of normal propensities, of which 30% are a prompt's own, 15% a prompt's at one checkpoint, and 35% the
    same at all checkpoints, as with the same seeds.
    """
    shape = (draws, prompts, RESPONSES)
    own, same = rng.standard_normal((draws, prompts, 1), np.float32), rng.standard_normal(shape, np.float32)
    found = []
    for share in shares:
        here, rest = rng.standard_normal((draws, prompts, 1), np.float32), rng.standard_normal(shape, np.float32)
        latent = np.sqrt(0.3) * own + np.sqrt(0.15) * here + np.sqrt(0.35) * same + np.sqrt(0.2) * rest
        found.append((latent < stats.norm.ppf(share)).mean(2, dtype=float))
    return found


def contrast_coverage(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield a row for each number of prompts and set of shares.

    It has what intervals of the difference cover, how often p is small where there is none, and how often it is called equivalent.
    """
    for prompts in PROMPTS:
        for shares in SHARES:
            a, b, c, d = checkpoints(rng, shares, prompts, draws)
            truth = (shares[3] - shares[2]) - (shares[1] - shares[0])
            drifts = Pairs.of_differences((list(a), list(b)), (list(c), list(d)))
            found, other = difference_limits(drifts, TAIL), students_t((d - c) - (b - a))
            near = difference_limits(drifts, 2 * TAIL)
            p = p_moved(drifts) if abs(truth) < 1e-9 else None
            yield {
                "prompts": prompts, "drifts": f"{shares[0]} to {shares[1]}, {shares[2]} to {shares[3]}", "difference": truth,
                "covered": covered(found, truth),
                "t": covered(other, truth),
                "width / t's": float((found.high - found.low).mean() / (other.high - other.low).mean()),
                **{f"p < {level}": None if p is None else float((p < level).mean()) for level in (0.05, 0.005)},
                "equivalent": float(((near.low > -MARGIN) & (near.high < MARGIN)).mean()),
            }  # fmt: skip
