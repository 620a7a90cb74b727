"""A run's values: the mean stance distribution of each category at each checkpoint (sections 2 and 3 of the paper)."""

from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.drift import ValuesConfig, ValuesJob
from valuedrift.io.columns import FLAGS, STANCE
from valuedrift.io.tables import STANCES, VALUES
from valuedrift.stats.bands import joint_confidence
from valuedrift.stats.intervals import share_intervals

GROUP = ["run", "step", "judge", "category"]
TRAJECTORY = ["run", "judge", "category"]


def run(*, config: ValuesJob, stances: list[Path], output: Path) -> None:
    """Write VALUES of one run from the stances of its judges."""
    rows = pl.concat([STANCES.read_whole(path) for path in stances])
    VALUES.write(values(rows, config.values, config.seed), output)


def values(stances: pl.DataFrame, config: ValuesConfig, seed: int) -> pl.DataFrame:
    """Return VALUES from rows of STANCES: the mean over the responses of each prompt, then over the prompts of each category.

    Unscorable responses are left out of the means; malformed ones and refusals stay in them if they were scored, as in the paper.
    """
    by_prompt = prompt_means(stances)
    # Sorted, so that the order of the rows does not change the last digit of a sum.
    cells = by_prompt.group_by([*GROUP, "stance"], maintain_order=True).agg(sample=pl.col("mean").drop_nulls().sort())
    samples = [np.array(sample, float) for sample in cells["sample"]]
    joint = _joint_confidences(by_prompt, config, seed)
    bands = share_intervals(samples, config, seed, [joint[trajectory] for trajectory in cells.select(TRAJECTORY).iter_rows()])
    found = zip(share_intervals(samples, config, seed), bands, samples, strict=True)
    measured = [(*interval, band.low, band.high, len(sample)) for interval, band, sample in found]
    schema = {name: VALUES.columns[name] for name in ("mean", "low", "high", "band_low", "band_high", "prompts")}
    frame = cells.drop("sample").hstack(pl.DataFrame(measured, schema=schema, orient="row")).join(quality(stances), on=GROUP)
    return frame.with_columns(pl.col("band_low", "band_high").clip(0, 1)).select(list(VALUES.columns)).sort([*GROUP, "stance"])


def quality(stances: pl.DataFrame) -> pl.DataFrame:
    """Return GROUP with the shares of flagged and truncated responses and the means of what the judge returned.

    The flags are counted by status, so that they add up; any response may be truncated.
    """
    return stances.group_by(GROUP).agg(
        *(pl.col("status").str.starts_with(f"{flag}:").mean().alias(flag) for flag in FLAGS),
        *(pl.col(name).sort().mean() for name in ("truncated", "mass", "bound", "flips")),
    )


def _joint_confidences(by_prompt: pl.DataFrame, config: ValuesConfig, seed: int) -> dict[tuple[object, ...], float]:
    """Return the confidence at which the intervals of a trajectory's checkpoints and stances hold all at once, by trajectory."""
    found = {}
    rows = by_prompt.sort([*TRAJECTORY, "prompt_id", "step", "stance"])
    for trajectory, part in rows.group_by(TRAJECTORY, maintain_order=True):
        sample = part.pivot(["step", "stance"], index="prompt_id", values="mean").drop("prompt_id").cast(pl.Float64)
        found[trajectory] = joint_confidence(sample.to_numpy(), config.confidence, config.resamples, seed)
    return found


def prompt_means(stances: pl.DataFrame) -> pl.DataFrame:
    """Return the mean over the scored responses of each prompt: GROUP, prompt_id, stance, mean (null if none was scored)."""
    ordered = stances.sort([*GROUP, "prompt_id", "sample"])  # a sum of floats depends on their order in its last digit
    means = ordered.group_by([*GROUP, "prompt_id"], maintain_order=True).agg(pl.col("support", "neutral", "oppose").mean())
    long = means.unpivot(["support", "neutral", "oppose"], index=[*GROUP, "prompt_id"], variable_name="stance", value_name="mean")
    return long.with_columns(pl.col("stance").cast(STANCE)).sort([*GROUP, "stance", "prompt_id"])
