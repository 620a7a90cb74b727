"""A contrast: the values or drifts of two runs, or of one run by two judges, compared on the same prompts."""

from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.drift import ContrastJob, ContrastPair, Of
from valuedrift.drift.magnitude_and_time import tests
from valuedrift.drift.study import corrected, verdict
from valuedrift.drift.values import prompt_means
from valuedrift.errors import UserError
from valuedrift.io.tables import CONTRASTS, STANCES
from valuedrift.stats.intervals import pair_intervals
from valuedrift.stats.shares import Floats, Pairs

CELL = ["category", "stance"]
PROMPT = [*CELL, "prompt_id"]
Sides = dict[tuple[str, str], pl.DataFrame]
"""(run, judge) → `ends` of its stances."""


def run(*, config: ContrastJob, stances: list[Path], output: Path) -> None:
    """Write CONTRASTS of one contrast from STANCES of its runs, by its judges."""
    sides: Sides = {}
    for path in stances:  # one table at a time
        for (run_id, judge), rows in STANCES.read_whole(path).partition_by("run", "judge", as_dict=True).items():
            sides[str(run_id), str(judge)] = ends(rows, config.of)
    CONTRASTS.write(contrast(config, sides), output)


def ends(stances: pl.DataFrame, of: Of) -> pl.DataFrame:
    """Return PROMPT with means over each prompt's responses, null if none was scored: `last`, and of a drift `start`, from rows of
    STANCES of one run and judge."""
    last = stances.filter(pl.col("step") == pl.col("step").max())
    found = prompt_means(last).select(*PROMPT, last="mean")
    if of == "value":
        return found
    start = stances.filter(pl.col("step") == pl.col("step").min())
    return found.join(prompt_means(start).select(*PROMPT, start="mean"), on=PROMPT, validate="1:1")


def contrast(config: ContrastJob, sides: Sides) -> pl.DataFrame:
    """Return CONTRASTS, in the order of the pairs and categories.

    Both sides answer the same prompts with the same seeds, so cells are paired by prompt; a prompt that one side has no score of is
    left out. q is p corrected for all cells of the contrast. Two are different where q is at most 1 - confidence, else equivalent
    where p_equivalent is, else undecided.
    """
    cells = pl.concat([cells_of(pair, config, sides) for pair in config.pairs])
    judged = cells.with_columns(q=corrected(cells["p"], config.correction))
    found = verdict("different", "equivalent", "p_equivalent", 1 - config.values.confidence)
    return judged.with_columns(verdict=found.cast(CONTRASTS.columns["verdict"]))


def cells_of(pair: ContrastPair, config: ContrastJob, sides: Sides) -> pl.DataFrame:
    """Return rows of CONTRASTS of one pair without q and verdict; raises UserError if one of its sides was not judged."""
    for side in (pair.first, pair.second):
        if (side.run, side.judge) not in sides:
            raise UserError(f"the contrast's `{pair.heading}` has no stances of the run `{side.run}` by the judge `{side.judge}`")
    first, second = (sides[side.run, side.judge] for side in (pair.first, pair.second))
    both = first.join(second, on=PROMPT, suffix="_second", validate="1:1").filter(pl.col("category").is_in(config.categories))
    scored = pl.all_horizontal(pl.exclude(PROMPT).is_not_null())
    cells = both.sort(PROMPT).group_by(CELL, maintain_order=True).agg(pl.exclude("prompt_id").filter(scored))
    cells = cells.sort(pl.col("category").cast(pl.Enum(config.categories)), "stance")
    pairs, differences = paired(cells, config.of)
    intervals = pair_intervals(pairs, differences, config.values, config.seed)
    found = pl.DataFrame(intervals, schema=dict.fromkeys(("difference", "low", "high"), pl.Float64), orient="row").hstack(
        tests(pairs, config.margin)
    )
    means = [pl.Series(name, side.mean, nan_to_null=True) for name, side in (("first", pairs.first), ("second", pairs.last))]
    rows = cells.select(CELL).hstack(means).hstack(found.rename({"p_preserved": "p_equivalent"}))
    return rows.with_columns(pair=pl.lit(pair.heading)).cast({"prompts": pl.Int64})


def paired(cells: pl.DataFrame, of: Of) -> tuple[Pairs, list[Floats]]:
    """Return both sides of each cell, and the differences of its prompts (prompts,), from lists of the prompts' means."""
    samples = {name: [np.array(sample, float) for sample in cells[name]] for name in cells.columns if name not in CELL}
    if of == "value":
        sides = samples["last"], samples["last_second"]
        return Pairs.of_each(*sides), [b - a for a, b in zip(*sides, strict=True)]
    first, second = ((samples[f"start{side}"], samples[f"last{side}"]) for side in ("", "_second"))
    drifts = zip(*first, *second, strict=True)
    return Pairs.of_differences(first, second), [(d - c) - (b - a) for a, b, c, d in drifts]
