"""Step 0 of a run, which is its parent's last step."""

import polars as pl


def as_step_0(parent: pl.DataFrame, run: str) -> pl.DataFrame:
    """Return the rows of the parent's last step as rows of the run's step 0: what was sampled or judged once is copied."""
    last = parent.filter(pl.col("step") == pl.col("step").max())
    return last.with_columns(run=pl.lit(run), step=pl.lit(0, pl.Int64))
