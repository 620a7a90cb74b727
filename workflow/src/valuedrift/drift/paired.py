"""Differences of two sets of responses to the same prompts, with intervals and tests."""

import numpy as np
import polars as pl

from valuedrift.config.drift import ValuesConfig
from valuedrift.stats.intervals import difference_intervals
from valuedrift.stats.shares import Pairs, p_moved, p_preserved

INTERVAL = dict.fromkeys(("difference", "low", "high"), pl.Float64)


def paired(
    first: pl.DataFrame, last: pl.DataFrame, cell: list[str], values: ValuesConfig, margin: float, seed: int
) -> pl.DataFrame:
    """Return the columns `cell`, INTERVAL (last less first), prompts, asked (how many there are on both sides), p and p_preserved.

    Both sides have `cell`, prompt_id and mean, a prompt's mean. A prompt that could be scored on only one side has no difference.
    """
    prompt = [*cell, "prompt_id"]
    pair = first.join(last, on=prompt, suffix="_last", validate="1:1").sort(prompt)
    scored = pl.col("mean").is_not_null() & pl.col("mean_last").is_not_null()
    cells = pair.group_by(cell, maintain_order=True).agg(pl.col("mean", "mean_last").filter(scored), asked=pl.len().cast(pl.Int64))
    one, other = ([np.array(sample, float) for sample in cells[name]] for name in ("mean", "mean_last"))
    found = pl.DataFrame(difference_intervals(one, other, values, seed), schema=INTERVAL, orient="row")
    return cells.select(*cell, "asked").hstack(found).hstack(tests(Pairs.of_each(one, other), margin))


def tests(pairs: Pairs, margin: float) -> pl.DataFrame:
    """Return prompts, p and p_preserved of cells; the p-values are null where there is no prompt."""
    found = pl.DataFrame({"prompts": pairs.prompts, "p": p_moved(pairs), "p_preserved": p_preserved(pairs, margin)})
    some = pl.col("prompts") > 0
    return found.with_columns(pl.when(some).then(pl.col("p", "p_preserved"))).cast({"prompts": pl.Int64})
