"""A contrast: the values or drifts of two runs, or of one run by two judges, compared on the same prompts."""

from pathlib import Path

import polars as pl

from valuedrift.config.drift import ContrastJob, ContrastPair, Of
from valuedrift.drift.paired import INTERVAL, tests
from valuedrift.drift.pooled_values import crossed, over_seeds
from valuedrift.drift.study import corrected, verdict
from valuedrift.drift.values import prompt_means
from valuedrift.errors import UserError
from valuedrift.io.columns import STANCE
from valuedrift.io.tables import CONTRASTS, STANCES
from valuedrift.stats.intervals import pair_intervals
from valuedrift.stats.seeds import Seeds
from valuedrift.stats.shares import Floats, Pairs

CELL = ["category", "stance"]
ENDS: dict[Of, list[str]] = {"value": ["last"], "drift": ["start", "last"]}
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
    """Return rows of CONTRASTS of one pair without q and verdict; raises UserError if one of its sides was not judged.

    Every category and stance has a row; where the sides share no prompt, as two judges of few prompts may, it has no difference.

    Over several seeds the difference is the mean of those under each seed. Its interval and p-values are those of a single seed
    with the seeds' part of the difference (stats/seeds.py), whatever `values.interval` is.
    """
    for side in (*pair.first, *pair.second):
        if (side.run, side.judge) not in sides:
            raise UserError(f"the contrast's `{pair.heading}` has no stances of the run `{side.run}` by the judge `{side.judge}`")
    both = [
        sides[first.run, first.judge].join(sides[second.run, second.judge], on=PROMPT, suffix="_second", validate="1:1")
        .with_columns(run=pl.lit(first.run))
        for first, second in zip(pair.first, pair.second, strict=True)
    ]  # fmt: skip
    numbers = [name for name in both[0].columns if name not in (*PROMPT, "run")]
    known = pl.concat(both).filter(pl.col("category").is_in(config.categories))
    cells = crossed(known, CELL, *numbers)
    pairs, differences = paired({name: cells[name].to_list() for name in numbers}, config.of)
    values = config.values if len(both) == 1 else config.values.model_copy(update={"interval": "beta"})
    intervals = pl.DataFrame(pair_intervals(pairs, differences, values, config.seed), schema=INTERVAL, orient="row")
    found = tests(pairs, config.margin).rename({"p_preserved": "p_equivalent"})
    means = [pl.Series(name, side.mean, nan_to_null=True) for name, side in (("first", pairs.first), ("second", pairs.last))]
    named = [pl.lit(pair.heading).alias("pair"), pl.lit(len(both), pl.Int64).alias("seeds")]
    compared = cells.select(CELL).hstack(means).hstack(intervals).hstack(found)
    stances = pl.DataFrame({"stance": STANCE.categories}, {"stance": STANCE})
    every = pl.DataFrame({"category": config.categories}).join(stances, how="cross", maintain_order="left_right")
    return every.join(compared, on=CELL, how="left", maintain_order="left").with_columns(pl.col("prompts").fill_null(0), *named)


def paired(samples: dict[str, list[Floats]], of: Of) -> tuple[Pairs, list[Floats]]:
    """Return both sides of each cell, and the differences of its prompts (prompts,), from samples (seeds, prompts) of the ends."""
    first, second = ([samples[f"{end}{side}"] for end in ENDS[of]] for side in ("", "_second"))
    drifts = [_change(*side) for side in (first, second)]
    apart = [b - a for a, b in zip(*drifts, strict=True)]
    seeds = Seeds.of_each(apart) if any(len(sample) > 1 for sample in apart) else None
    one, other = ([over_seeds(sample) for sample in side] for side in (first, second))
    if of == "value":
        return Pairs.of_each(one[0], other[0], seeds), over_seeds(apart)
    return Pairs.of_differences((one[0], one[1]), (other[0], other[1]), seeds), over_seeds(apart)


def _change(*ends: list[Floats]) -> list[Floats]:
    """Return the last samples, less the first where there are two."""
    return ends[0] if len(ends) == 1 else [b - a for a, b in zip(*ends, strict=True)]
