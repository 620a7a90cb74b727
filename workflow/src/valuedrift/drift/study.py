"""The drift of all runs of a study in one table, with what can be said of each cell."""

from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from valuedrift.config.drift import Correction, DriftJob
from valuedrift.io.tables import DRIFT
from valuedrift.stats.shares import Floats

TIMES = ("time", "extremum", "extremum_step", "half", "half_low", "half_high", "ninety", "ninety_low", "ninety_high")
"""Columns of DRIFT that say when a cell moved, and that a cell that did not move does not have."""


def run(*, config: DriftJob, drift: list[Path], output: Path) -> None:
    """Write DRIFT of all runs, from the tables of single runs; with `times: moved` only cells that moved have times."""
    joined = pl.concat([DRIFT.frame([]), *(DRIFT.read(path) for path in drift)])
    found = verdicts(joined, config)
    if config.drift.times == "moved":
        found = found.with_columns(pl.when(pl.col("verdict") == "moved").then(pl.col(name)).alias(name) for name in TIMES)
    DRIFT.write(found.sort("run", "judge", "category", "stance"), output)


def verdicts(drift: pl.DataFrame, config: DriftJob) -> pl.DataFrame:
    """Return rows of DRIFT with q, the p-value corrected for all cells of the same judge, and the verdict.

    moved: q is at most 1 - confidence; preserved: else, and p_preserved is; undecided: else; null where there is no magnitude. With
    bh (Benjamini and Hochberg 1995) at most that share of what is called moved is expected not to have moved; with holm (Holm 1979)
    the chance that any of it has not is at most that.
    """
    judges = drift.partition_by("judge", maintain_order=True)
    parts = [rows.with_columns(q=corrected(rows["p"], config.drift.correction)) for rows in judges]
    found = verdict("moved", "preserved", "p_preserved", 1 - config.values.confidence)
    return pl.concat([DRIFT.frame([]), *parts]).with_columns(verdict=found.cast(DRIFT.columns["verdict"]))


def verdict(moved: str, preserved: str, p_preserved: str, level: float) -> pl.Expr:
    """Return the verdict, in these words, of the columns q, p and `p_preserved`."""
    return (
        pl.when(pl.col("q") <= level).then(pl.lit(moved))
        .when(pl.col(p_preserved) <= level).then(pl.lit(preserved))
        .when(pl.col("p").is_not_null()).then(pl.lit("undecided"))
    )  # fmt: skip


def corrected(p: pl.Series, correction: Correction) -> pl.Series:
    """Return p-values corrected for all of them; nulls stay null and do not count."""
    known = p.is_not_null().to_numpy()
    q = np.full(len(p), np.nan)
    if known.any():
        q[known] = (holm if correction == "holm" else stats.false_discovery_control)(p.drop_nulls().to_numpy())
    return pl.Series(q, nan_to_null=True)


def holm(p: Floats) -> Floats:
    """Return p-values (cells,) corrected step down (Holm 1979): the chance of any false rejection is that of the level."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(1.0, adjusted)[np.argsort(order)]
