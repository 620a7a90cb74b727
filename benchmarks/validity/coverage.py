"""What intervals of a value and of a magnitude cover, and how often a repetition agrees with what a study prints."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from scipy import stats
from simulated import PROMPTS, TAIL, Row, covered, pairs, responses

from valuedrift.report.scorecard_stats import reach
from valuedrift.stats.shares import Floats, Limits, Pairs, Sums, difference_limits, limits

SHARES = (0.003, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.997)
CORRELATIONS = (0.0, 0.3, 0.8)
MAGNITUDES = ((0.02, 0.02), (0.3, 0.3), (0.5, 0.5), (0.02, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.98))
"""Shares at the first and the last checkpoint."""
PRINTED = 50
"""Prompts of the study whose values are printed."""


def students_t(sample: Floats) -> Limits:
    """Return the 95% limits of Student's t for samples (cells, prompts)."""
    half = stats.t.ppf(1 - TAIL, sample.shape[1] - 1) * sample.std(1, ddof=1) / np.sqrt(sample.shape[1])
    return Limits(sample.mean(1) - half, sample.mean(1) + half)


def value_coverage(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield what intervals of a value cover, a row for each cell of the grid."""
    for sure in (True, False):
        for prompts in PROMPTS:
            for count in (1, 5):
                for correlation in CORRELATIONS:
                    for share in SHARES:
                        sample = responses(rng, share, prompts, count, correlation, sure, draws)
                        found = limits(Sums.of(sample), TAIL)
                        yield {
                            "judge": "sure" if sure else "not sure", "prompts": prompts, "share": share,
                            "beta": covered(found, share), "t": covered(students_t(sample), share),
                            "width": float((found.high - found.low).mean()),
                            "outside": float(((found.low < 0) | (found.high > 1) | (found.high <= found.low)).mean()),
                        }  # fmt: skip


def summarized(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the least, median and largest coverage of both intervals."""
    ends: dict[str, Callable[[pl.Expr], pl.Expr]] = {"least": pl.Expr.min, "median": pl.Expr.median, "most": pl.Expr.max}
    found = [end(pl.col(kind)).alias(f"{kind}, {name}") for kind in ("beta", "t") for name, end in ends.items()]
    return frame.group_by(by, maintain_order=True).agg(pl.len().alias("cells"), *found)


def magnitude_coverage(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield what intervals of a magnitude cover, a row for each number of prompts and pair of shares."""
    for prompts in PROMPTS:
        for first, last in MAGNITUDES:
            a, b = pairs(rng, np.full(draws, first), np.full(draws, last), prompts)
            yield {
                "prompts": prompts, "from": first, "to": last,
                "beta": covered(difference_limits(Pairs.of(a, b), TAIL), last - first),
                "t": covered(students_t(b - a), last - first),
            }  # fmt: skip


def repetition(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield how often a magnitude that is printed by one study agrees with that of another, which repeats it with other prompts.

    inside: it lies inside the other's interval; agrees: within both errors, as in the scorecard; flips: it agrees, and has the
    other sign.
    """
    for prompts in PROMPTS:
        for first, last in MAGNITUDES:
            shares = (np.full(draws, first), np.full(draws, last))
            (a, b), (c, d) = pairs(rng, *shares, prompts), pairs(rng, *shares, PRINTED)
            ours, printed, found = (b - a).mean(1), np.round((d - c).mean(1), 2), difference_limits(Pairs.of(a, b), TAIL)
            below, above = reach(ours - found.low, found.high - ours, np.full(draws, float(prompts)), PRINTED)
            agrees = (ours - below <= printed) & (printed <= ours + above)
            yield {
                "prompts": prompts, "from": first, "to": last,
                "inside": float(((found.low <= printed) & (printed <= found.high)).mean()), "agrees": float(agrees.mean()),
                "flips": float((agrees & (ours * printed < 0)).mean()),
            }  # fmt: skip
