"""Statistics of how well a study agrees with printed values."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from scipy import stats

NO_SIGN = 0.005
"""A magnitude below this is printed as 0.00 and has no sign."""
FEWEST = 3
"""Cells that a statistic needs at least."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of the compared cells; a statistic of fewer than FEWEST cells is None, and so is the correlation of equal ranks."""

    compared: int
    sign: float | None
    """Share of magnitudes with the same sign."""
    rank: float | None
    """Spearman's rank correlation."""
    difference: float | None
    """Mean absolute difference."""
    inside: float | None
    """Share of the printed values inside the study's interval."""


@dataclass(frozen=True)
class Line:
    """One line of the scorecard: the agreement over all its cells (`every`) and over those not flagged (`sound`)."""

    table: str
    metric: str
    cells: int
    flagged: int
    every: Agreement
    sound: Agreement


def lines(cells: pl.DataFrame) -> Iterator[Line]:
    """Yield a line per drift metric over all tables, then one per table and metric or benchmark."""
    drift = cells.filter(pl.col("benchmark") == "")
    groups = [(("all tables", str(metric)), rows) for (metric,), rows in drift.group_by("metric", maintain_order=True)]
    by = ["table", pl.when(pl.col("benchmark") == "").then("metric").otherwise("benchmark")]
    groups += [((f"Table {key[0]}", str(key[1])), rows) for key, rows in cells.group_by(by, maintain_order=True)]
    for (table, metric), rows in groups:
        sound = rows.filter(pl.col("flags").list.len() == 0)
        yield Line(table, metric, len(rows), len(rows) - len(sound), agreement(rows), agreement(sound))


def agreement(cells: pl.DataFrame) -> Agreement:
    """Return the statistics of the compared cells; all cells are of one metric."""
    compared = cells.filter(pl.col("status") == "compared")
    signed = compared.filter(pl.col("metric") == "magnitude", pl.col("paper").abs() >= NO_SIGN)
    ranged = compared.filter(pl.col("low").is_not_null(), pl.col("high").is_not_null())
    return Agreement(
        len(compared),
        _mean(signed.select(pl.col("paper") * pl.col("ours") > 0)),
        _rank_correlation(compared),
        _mean(compared.select(pl.col("difference").abs())),
        _mean(ranged.select(pl.col("paper").is_between("low", "high"))),
    )


def _mean(column: pl.DataFrame) -> float | None:
    return float(column.to_series().cast(pl.Float64).mean()) if len(column) >= FEWEST else None  # type: ignore[arg-type]


def _rank_correlation(compared: pl.DataFrame) -> float | None:
    paper, ours = compared["paper"], compared["ours"]
    if len(compared) < FEWEST or paper.n_unique() == 1 or ours.n_unique() == 1:
        return None
    return float(stats.spearmanr(paper, ours).statistic)
