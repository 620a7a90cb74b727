"""Drift magnitudes under other ways to count the responses, and what each of them changes: the sign, or whether 0 is excluded."""

import numpy as np
import polars as pl

from valuedrift.config.tables import SensitivityTableJob
from valuedrift.stats.intervals import difference_intervals

REPORTED = "reported"
WAYS = {
    REPORTED: (REPORTED,), "flagged": ("unflagged",), "refusals": ("refusals",), "unscorable": ("lowest", "highest"),
    "truncated": ("whole",), "mass": ("massive",),
}  # fmt: skip
"""Way to count → the variants of a magnitude that it is made of: of unscorable responses only bounds are known."""
KEY = ["run", "category"]
INTERVAL = {"magnitude": pl.Float64, "low": pl.Float64, "high": pl.Float64}
SIGN, LOST, GAINED = "sign", "lost", "gained"
"""What a way changes: the sign; an interval without 0, on its side, becomes one that is not; the reverse."""


def sensitivity(stances: pl.DataFrame, config: SensitivityTableJob) -> pl.DataFrame:
    """Return run, category, variant, INTERVAL, prompts, responses and changes from STANCES of one run; every variant has a row.

    `responses` are those left at both ends of the run, of prompts that have some at both; `changes` are of SIGN, LOST, GAINED.
    """
    step = pl.col("step")
    ends = stances.filter(((step == step.min()) | (step == step.max())) & pl.col("category").is_in(config.categories))
    ordered = ends.sort("category", "prompt_id", "step", "sample")  # a sum of floats depends on their order in its last digit
    rows = ordered.with_columns(is_last=step == step.max()).with_columns(**_counted(config))
    names = [name for variants in WAYS.values() for name in variants]
    found = pl.concat(_magnitudes(rows, name, config).with_columns(variant=pl.lit(name)) for name in names)
    every = pl.DataFrame({"category": config.categories}).join(pl.DataFrame({"variant": names}), how="cross")
    cells = every.join(found, on=["category", "variant"], how="left", maintain_order="left").with_columns(
        pl.col("prompts", "responses").fill_null(0), run=pl.lit(stances["run"][0])
    )
    # Older tables do not say which responses were cut: that is no change.
    unknown = rows["truncated"].null_count() == len(rows)
    return with_changes(cells, unknown=WAYS["truncated"] if unknown else ())


def _counted(config: SensitivityTableJob) -> dict[str, pl.Expr]:
    """Return variant → the stance's probability of a response, null where the variant leaves it out."""
    p, status = pl.col(config.stance), pl.col("status")
    worst = {"lowest": ~pl.col("is_last"), "highest": pl.col("is_last")}
    return {
        REPORTED: p,
        "unflagged": pl.when(status == "ok").then(p),
        "refusals": pl.when(status.str.starts_with("refused:")).then(0.0).otherwise(p),
        **{name: pl.when(p.is_null()).then(is_one.cast(pl.Float64)).otherwise(p) for name, is_one in worst.items()},
        "whole": pl.when(~pl.col("truncated")).then(p),
        "massive": pl.when(pl.col("mass") >= config.min_mass).then(p),
    }


def _magnitudes(rows: pl.DataFrame, name: str, config: SensitivityTableJob) -> pl.DataFrame:
    """Return category, INTERVAL, prompts and responses of a column of probabilities: as drift does, paired by prompt."""
    value, last = pl.col(name), pl.col("is_last")
    sides = rows.group_by("category", "prompt_id", maintain_order=True).agg(
        first=value.filter(~last).mean(), last=value.filter(last).mean(), responses=value.count()
    )
    both = sides.drop_nulls(["first", "last"]).group_by("category", maintain_order=True)
    cells = both.agg("first", "last", responses=pl.col("responses").sum().cast(pl.Int64), prompts=pl.len().cast(pl.Int64))
    first, last_means = ([np.array(sample, float) for sample in cells[side]] for side in ("first", "last"))
    found = pl.DataFrame(difference_intervals(first, last_means, config.values, config.seed), schema=INTERVAL, orient="row")
    return cells.select("category", "prompts", "responses").hstack(found)


def with_changes(found: pl.DataFrame, unknown: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return the rows with `changes`: how each way differs from the reported magnitude; empty for those reported and `unknown`."""
    side = (pl.col("low") > 0).cast(pl.Int8) - (pl.col("high") < 0).cast(pl.Int8)
    of = {name: way for way, names in WAYS.items() for name in names}
    rows = found.with_columns(side=side.fill_null(0), sign=pl.col("magnitude").sign(), way=pl.col("variant").replace_strict(of))
    reported = rows.filter(variant=REPORTED).select(*KEY, own_side="side", own_sign="sign")
    rows = rows.join(reported, on=KEY, maintain_order="left")
    group = [*KEY, "way"]
    turned = (pl.col("sign") * pl.col("own_sign") < 0).any().over(group)
    same = (pl.col("side") == pl.col("own_side")).all().over(group)
    clear = ((pl.col("side") != 0) & (pl.col("side") == pl.col("side").first())).all().over(group)
    words = [
        pl.when(turned).then(pl.lit(SIGN)),
        pl.when((pl.col("own_side") != 0) & ~same).then(pl.lit(LOST)).when((pl.col("own_side") == 0) & clear).then(pl.lit(GAINED)),
    ]
    said = pl.concat_str(words, separator=" ", ignore_nulls=True)
    exempt = pl.col("variant").is_in([REPORTED, *unknown])
    return rows.with_columns(changes=pl.when(exempt).then(pl.lit("")).otherwise(said)).drop(
        "side", "sign", "own_side", "own_sign", "way"
    )
