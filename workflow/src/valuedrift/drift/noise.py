"""The drift of nothing: differences between two samplings of the same checkpoints, each with chance of its own."""

from pathlib import Path

import polars as pl

from valuedrift.config.drift import NoiseJob
from valuedrift.drift.paired import paired
from valuedrift.drift.study import corrected, verdict
from valuedrift.drift.values import prompt_means
from valuedrift.errors import UserError
from valuedrift.io.files import remedy
from valuedrift.io.tables import DRIFT, NOISE, STANCES

CELL = ["run", "step", "category", "stance"]


def run(*, config: NoiseJob, drift: Path, stances: list[Path], replicates: list[Path], output: Path) -> None:
    """Write NOISE of all runs from STANCES of both samplings, a file of each for every run, and the study's DRIFT."""
    cells = pl.concat([differences(*both(own, again, config), config) for own, again in zip(stances, replicates, strict=True)])
    found = verdict("moved", "preserved", "p_preserved", 1 - config.values.confidence)
    judged = cells.with_columns(q=corrected(cells["p"], config.correction)).with_columns(
        verdict=found.cast(NOISE.columns["verdict"])
    )
    series = ["run", "category", "stance"]
    magnitudes = DRIFT.read(drift).filter(pl.col("judge") == config.judge).select(*series, "magnitude")
    NOISE.write(judged.join(magnitudes, on=series, how="left", maintain_order="left"), output)


def both(own: Path, again: Path, config: NoiseJob) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both samplings' STANCES of the checkpoints that were sampled twice, without what was copied from the parent."""
    second = STANCES.read_whole(again).filter((pl.col("step") > 0) | ~pl.col("run").is_in(config.children))
    first = STANCES.read_whole(own).join(second.select("run", "step").unique(), on=["run", "step"], how="semi")
    if set(first["step"]) != set(second["step"]):
        raise UserError(f"{again} and {own} are not of the same checkpoints; {remedy(again)}")
    return first, second


def differences(first: pl.DataFrame, second: pl.DataFrame, config: NoiseJob) -> pl.DataFrame:
    """Return NOISE without q, verdict and magnitude, from rows of STANCES of one judge.

    Paired by prompt, as drifts are. Two checkpoints share random numbers and two samplings do not: between checkpoints that answer
    alike, chance is smaller than this.
    """
    return paired(prompt_means(first), prompt_means(second), CELL, config.values, config.margin, config.seed).drop("asked")
