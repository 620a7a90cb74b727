"""How often verdicts are wrong, and what they find, in simulated studies."""

from collections.abc import Iterator

import numpy as np
from scipy import stats
from simulated import PROMPTS, Row, pairs

from valuedrift.drift.study import holm
from valuedrift.stats.shares import Floats, Pairs, difference_limits, p_moved

LEVEL, MARGIN = 0.05, 0.05
CELLS = 11 * 3 * 13
"""Categories, stances and runs of the simulated studies, as many as the miniature has."""
STARTS = (0.05, 0.2, 0.35, 0.5)
"""Shares at the first checkpoint, over which the cells are spread."""
CHUNK = 20
"""Studies drawn at once: 20 of 200 prompts are 2 x 9 million responses."""


def tested(found: Pairs) -> tuple[Floats, Floats]:
    """Return p and p_preserved; 1 where p is above .2 at a glance, which no correction calls moved."""
    wide = difference_limits(found, 0.1)
    some = (wide.low > 0) | (wide.high < 0)
    p = np.ones(len(some))
    if some.any():
        p[some] = p_moved(found.at(np.flatnonzero(some)))
    near = difference_limits(found, LEVEL)  # TOST at this level: the 90% interval lies within the margin
    return p, np.where((near.low > -MARGIN) & (near.high < MARGIN), 0.0, 1.0)


def studies(rng: np.random.Generator, count: int, prompts: int, drifts: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield p and p_preserved (cells,) of simulated studies whose cells drift by `drifts` (cells,)."""
    first = np.resize(STARTS, CELLS)
    for start in range(0, count, CHUNK):
        many = min(CHUNK, count - start)
        a, b = pairs(rng, np.tile(first, many), np.tile(first + drifts, many), prompts)
        p, kept = tested(Pairs.of(a, b))
        yield from zip(p.reshape(many, CELLS), kept.reshape(many, CELLS), strict=True)


def verdicts(rng: np.random.Generator, count: int) -> Iterator[Row]:
    """Yield how often verdicts are wrong, and what they find, a row for each number of prompts."""
    some = np.resize((0.05, 0.0, 0.0, 0.1, 0.0, 0.0, 0.2, 0.0, 0.0), CELLS)  # a third of the cells
    drifting = some > 0
    for prompts in PROMPTS:
        none = [holm(p) <= LEVEL for p, _ in studies(rng, count, prompts, np.zeros(CELLS))]
        mixed = [stats.false_discovery_control(p) <= LEVEL for p, _ in studies(rng, count // 4, prompts, some)]
        margin = [kept == 0 for _, kept in studies(rng, count // 4, prompts, np.full(CELLS, MARGIN))]
        false = [float(moved[~drifting].sum() / max(1, moved.sum())) for moved in mixed]
        yield {
            "prompts": prompts, "studies with a false moved (Holm)": float(np.mean([moved.any() for moved in none])),
            "false among moved (BH)": float(np.mean(false)), "preserved at the margin": float(np.mean(margin)),
            **{f"found of {size}": float(np.mean([moved[some == size].mean() for moved in mixed])) for size in (0.05, 0.1, 0.2)},
        }  # fmt: skip
