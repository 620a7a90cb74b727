"""A run's values: the mean stance distribution of each category at each checkpoint (sections 2 and 3 of the paper)."""

from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.drift import ValuesConfig, ValuesJob
from valuedrift.io.columns import FLAGS, STANCE
from valuedrift.io.tables import STANCES, VALUES
from valuedrift.stats.intervals import share_intervals

GROUP = ["run", "step", "judge", "category"]


def run(*, config: ValuesJob, stances: list[Path], output: Path) -> None:
    """Write VALUES of one run from the stances of its judges."""
    rows = pl.concat([STANCES.read_whole(path) for path in stances])
    VALUES.write(values(rows, config.values, config.seed), output)


def values(stances: pl.DataFrame, config: ValuesConfig, seed: int) -> pl.DataFrame:
    """Return VALUES from rows of STANCES: the mean over the responses of each prompt, then over the prompts of each category.

    Unscorable responses are left out of the means; malformed ones and refusals stay in them if they were scored, as in the paper.
    The shares of all three are counted by status, so that they add up; any response may be truncated.
    """
    # Sorted, so that the order of the rows does not change the last digit of a sum.
    shares = stances.group_by(GROUP).agg(
        *(pl.col("status").str.starts_with(f"{flag}:").mean().alias(flag) for flag in FLAGS),
        *(pl.col(name).sort().mean() for name in ("truncated", "mass", "bound", "flips")),
    )
    by_prompt = prompt_means(stances)
    # Sorted for the same reason.
    cells = by_prompt.group_by([*GROUP, "stance"], maintain_order=True).agg(sample=pl.col("mean").drop_nulls().sort())
    samples = [np.array(sample, float) for sample in cells["sample"]]
    found = zip(share_intervals(samples, config, seed), samples, strict=True)
    measured = [{**interval._asdict(), "prompts": len(sample)} for interval, sample in found]
    schema = {name: VALUES.columns[name] for name in ("mean", "low", "high", "prompts")}
    bands = (pl.lit(None, pl.Float64).alias(name) for name in ("band_low", "band_high"))
    frame = cells.drop("sample").with_columns(*bands).hstack(pl.DataFrame(measured, schema=schema)).join(shares, on=GROUP)
    return frame.select(list(VALUES.columns)).sort([*GROUP, "stance"])


def prompt_means(stances: pl.DataFrame) -> pl.DataFrame:
    """Return the mean over the scored responses of each prompt: GROUP, prompt_id, stance, mean (null if none was scored)."""
    ordered = stances.sort([*GROUP, "prompt_id", "sample"])  # a sum of floats depends on their order in its last digit
    means = ordered.group_by([*GROUP, "prompt_id"], maintain_order=True).agg(pl.col("support", "neutral", "oppose").mean())
    long = means.unpivot(["support", "neutral", "oppose"], index=[*GROUP, "prompt_id"], variable_name="stance", value_name="mean")
    return long.with_columns(pl.col("stance").cast(STANCE)).sort([*GROUP, "stance", "prompt_id"])
