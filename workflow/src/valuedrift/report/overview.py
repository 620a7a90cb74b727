"""Means over the categories: each run's values at both ends, and its drift."""

from dataclasses import dataclass

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.io.columns import FLAGS, VERDICTS
from valuedrift.stats.noise import size, standard_error

QUALITY = (*FLAGS, "truncated", "mass")


@dataclass(frozen=True)
class End:
    """Means over the categories at one checkpoint: probabilities of the stances (support, neutral, oppose), shares of malformed,
    refused, unscorable and truncated responses, and option mass; None where nothing was scored or it is not known."""

    step: int
    stances: list[float | None]
    malformed: float
    refused: float
    unscorable: float
    truncated: float | None
    mass: float | None


def ends(values: pl.DataFrame, judge: str, categories: list[str]) -> dict[str, tuple[int, End, End]]:
    """Return run → (number of measured checkpoints, the first, the last) of a VALUES table."""
    steps = (
        values.filter((pl.col("judge") == judge) & pl.col("category").is_in(categories))
        .group_by("run", "step", maintain_order=True)
        .agg(
            *(pl.col("mean").filter(pl.col("stance") == stance).mean().alias(stance) for stance in STANCES),
            pl.col(*QUALITY).mean(),
        )
        .sort("step")
    )
    runs: dict[str, list[End]] = {}
    for row in steps.iter_rows(named=True):
        end = End(row["step"], [row[stance] for stance in STANCES], **{name: row[name] for name in QUALITY})
        runs.setdefault(row["run"], []).append(end)
    return {run: (len(found), found[0], found[-1]) for run, found in runs.items()}


def mean_drift(drift: pl.DataFrame, judge: str, categories: list[str] | None = None, confidence: float = 0.95) -> pl.DataFrame:
    """Return means over the categories of a DRIFT table, one row per run in the table's order; nulls are left out.

    Columns: run; support, neutral, oppose (drift magnitudes); size (their size less what sampling alone shows by their intervals of
    this confidence, also averaged over the stances) and time (likewise); moved, preserved, undecided (how many of the categories'
    stances have the verdict).
    """
    judged = drift.filter(pl.col("judge") == judge)
    if categories is not None:
        judged = judged.filter(pl.col("category").is_in(categories))
    names = ("magnitude", "magnitude_low", "magnitude_high", "prompts")
    magnitude, low, high, prompts = (judged[name].cast(pl.Float64).to_numpy() for name in names)
    sizes = pl.Series(size(magnitude, standard_error(low, high, prompts, (1 - confidence) / 2)), nan_to_null=True)
    magnitudes = (pl.col("magnitude").filter(pl.col("stance") == stance).mean().alias(stance) for stance in STANCES)
    verdicts = ((pl.col("verdict") == verdict).sum().cast(pl.Int64).alias(verdict) for verdict in VERDICTS)
    means = pl.col("size", "time").mean()
    return judged.with_columns(size=sizes).group_by("run", maintain_order=True).agg(*magnitudes, means, *verdicts)
