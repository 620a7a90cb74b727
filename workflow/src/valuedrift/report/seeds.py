"""Means over the seeds of a run."""

import polars as pl

from valuedrift.errors import UserError
from valuedrift.io.columns import FLAGS

FLAGGED = pl.sum_horizontal(FLAGS).alias("flagged")


def values_of(run: str, category: str, judge: str, values: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of VALUES of a run, category and judge, by step; raises UserError if there are none."""
    found = values.filter(pl.col("run") == run, pl.col("category") == category, pl.col("judge") == judge).sort("step")
    if found.is_empty():
        raise UserError(f"no values of the run `{run}` on `{category}` by the judge `{judge}`: measure it first")
    return found


def over_seeds(runs: list[pl.DataFrame], at: str = "step") -> pl.DataFrame:
    """Return means over runs of `mean`, `low`, `high` and `flagged`, for each `at` and stance of which all runs have a row.

    The averaged band is as wide as one run's: it shows the uncertainty from the prompts, while the single runs show the spread over
    seeds. NaN where one of the values is null, since a mean over the others would jump.
    """
    numbers = pl.col("mean", "low", "high").fill_null(float("nan")).mean()
    rows = pl.concat(runs).group_by(at, "stance", maintain_order=True).agg(numbers, FLAGGED.mean(), runs=pl.len())
    return rows.filter(pl.col("runs") == len(runs)).drop("runs")
