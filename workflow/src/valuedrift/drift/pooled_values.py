"""The values of a run over its training seeds: means with the error of seeds and of prompts."""

from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.drift import PooledValuesJob
from valuedrift.drift.values import prompt_means, quality
from valuedrift.io.tables import STANCES, VALUES
from valuedrift.stats.seeds import Seeds
from valuedrift.stats.shares import Floats, Sums, limits

CELL = ["step", "judge", "category", "stance"]


def run(*, config: PooledValuesJob, stances: list[Path], output: Path) -> None:
    """Write VALUES of a run's seeds under one id, from the stances of each of them."""
    VALUES.write(pooled_values(pl.concat([STANCES.read_whole(path) for path in stances]), config), output)


def pooled_values(stances: pl.DataFrame, config: PooledValuesJob) -> pl.DataFrame:
    """Return VALUES of the steps that all seeds have, from rows of STANCES of one run under several seeds.

    A value is the mean over the seeds and over the prompts that were scored under each of them; null where one seed has none, since
    a mean over the others would jump. The interval is the default one of `values.interval` with the seeds' part (stats/seeds.py),
    whatever the config chooses.
    """
    seeds = stances["run"].n_unique()
    common = stances.filter(pl.col("run").n_unique().over("step") == seeds)
    found = crossed(prompt_means(common), CELL, "mean")
    samples = found["mean"].to_list()
    sums = Sums.of_each(over_seeds(samples))
    low, high = limits(sums, (1 - config.values.confidence) / 2, Seeds.of_each(samples))
    all_known = pl.Series([len(sample) == seeds and sample.size > 0 for sample in samples])
    numbers = pl.DataFrame({"mean": sums.mean, "low": low, "high": high, "prompts": sums.prompts.astype(int)})
    numbers = numbers.with_columns(pl.when(all_known).then(pl.all())).with_columns(pl.col("prompts").fill_null(0))
    group = ["step", "judge", "category"]
    shares = quality(common).group_by(group).agg(pl.exclude("run").sort().mean())
    cells = found.select(CELL).hstack(numbers).join(shares, on=group, validate="m:1")
    bands = (pl.lit(None, VALUES.columns[name]).alias(name) for name in ("band_low", "band_high"))  # none over seeds yet
    return cells.with_columns(*bands, run=pl.lit(config.run)).select(list(VALUES.columns)).sort(VALUES.key)


def over_seeds(samples: list[Floats]) -> list[Floats]:
    """Return the prompts' means (prompts,) over the seeds of each sample (seeds, prompts)."""
    return [sample.sum(0) / max(1, len(sample)) for sample in samples]


def crossed(by_prompt: pl.DataFrame, cell: list[str], *names: str) -> pl.DataFrame:
    """Return the columns `cell`, one row each, and for each of `names` an object: the numbers (seeds, prompts) of that column.

    `by_prompt` has the columns run and prompt_id too. What is left are the seeds with a number, and the prompts that have one under
    each of those, in all of the columns.
    """
    ordered = by_prompt.sort([*cell, "run", "prompt_id"]).group_by(cell, maintain_order=True).agg("run", "prompt_id", *names)
    samples: dict[str, list[Floats]] = {name: [] for name in names}
    for row in ordered.iter_rows(named=True):
        seeds, prompts = (np.unique(row[name], return_inverse=True) for name in ("run", "prompt_id"))
        table = np.full((len(names), len(seeds[0]), len(prompts[0])), np.nan)
        table[:, seeds[1], prompts[1]] = np.array([row[name] for name in names], float)
        known = ~np.isnan(table).any(0)
        some = known.any(1)
        table = table[:, some][:, :, known[some].all(0) & some.any()]
        for name, numbers in zip(names, table, strict=True):
            samples[name].append(numbers)
    return ordered.select(cell).with_columns(pl.Series(name, numbers, pl.Object) for name, numbers in samples.items())
