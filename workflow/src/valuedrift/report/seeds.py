"""One value of several seeds: the mean over them."""

import polars as pl

from valuedrift.errors import UserError

FLAGS = ("malformed", "refused", "unscorable")
"""How the status of a response begins that is not ok; columns of VALUES."""
FLAGGED = pl.sum_horizontal(FLAGS).alias("flagged")


def values_of(run: str, category: str, judge: str, values: pl.DataFrame) -> pl.DataFrame:
    """Rows of VALUES of a run on a category by a judge, by step; raises UserError where there are none."""
    found = values.filter(pl.col("run") == run, pl.col("category") == category, pl.col("judge") == judge).sort("step")
    if found.is_empty():
        raise UserError(f"no values of the run `{run}` on `{category}` by the judge `{judge}`: measure it first")
    return found


def over_seeds(runs: list[pl.DataFrame], at: str = "step") -> pl.DataFrame:
    """Mean of the runs' means, and of the lower and upper ends of their intervals, wherever (`at`) all of them have a row.

    So the band is that of one run: it shows how sure the prompts make a value, and the runs themselves show the spread over seeds.
    NaN where one of the values is null: a mean over the others would jump. `flagged` is the mean share too.
    """
    numbers = pl.col("mean", "low", "high").fill_null(float("nan")).mean()
    rows = pl.concat(runs).group_by(at, "stance", maintain_order=True).agg(numbers, FLAGGED.mean(), runs=pl.len())
    return rows.filter(pl.col("runs") == len(runs)).drop("runs")
