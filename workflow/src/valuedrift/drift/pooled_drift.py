"""The drift of a run over its training seeds."""

from pathlib import Path

import polars as pl

from valuedrift.config.drift import PooledDriftJob
from valuedrift.drift.change_times import LEVELS, change_times
from valuedrift.drift.magnitude_and_time import SERIES, complete, times
from valuedrift.drift.paired import tests
from valuedrift.drift.pooled_values import crossed, over_seeds
from valuedrift.drift.values import prompt_means
from valuedrift.io.manifest import read_manifest
from valuedrift.io.tables import DRIFT, STANCES, VALUES
from valuedrift.stats.seeds import Seeds
from valuedrift.stats.shares import Pairs, difference_limits

CELL = ["judge", "category", "stance"]


def run(*, config: PooledDriftJob, manifests: list[Path], values: Path, stances: list[Path], output: Path) -> None:
    """Write DRIFT of a run's seeds under one id, without q and verdict; `values` are those over its seeds.

    Times are those of the mean trajectory. Those of half and 90% of the change have no limits: resampled prompts say nothing of
    other seeds.
    """
    manifest_of = {manifest.run: manifest for manifest in map(read_manifest, manifests)}
    judged = pl.concat([complete(STANCES.read_whole(path), path, manifest_of) for path in stances])
    first = next(iter(manifest_of.values()))
    time = times(VALUES.read(values), {config.run: first}, config)
    changed = change_times(_mean_prompts(judged, config.run), {config.run: first}, config)
    changed = changed.with_columns(pl.lit(None, pl.Float64).alias(f"{name}_{end}") for name in LEVELS for end in ("low", "high"))
    drift = time.join(changed, on=SERIES, how="left", validate="1:1")
    drift = drift.join(pooled_magnitudes(judged, config), on=SERIES, how="left", validate="1:1")
    later = [name for name in DRIFT.columns if name not in drift.columns]
    open_yet = (pl.lit(None, DRIFT.columns[name]).alias(name) for name in later)
    DRIFT.write(drift.with_columns(pl.col("prompts", "asked", "seeds").fill_null(0), *open_yet).sort(SERIES), output)


def _mean_prompts(stances: pl.DataFrame, run: str) -> pl.DataFrame:
    """Return the prompts' means as `prompt_means` does, over the seeds, null where one has none."""
    by_seed = prompt_means(stances)
    mean = pl.when(pl.col("mean").count() == by_seed["run"].n_unique()).then(pl.col("mean").sort().mean()).alias("mean")
    return by_seed.group_by(["step", *CELL, "prompt_id"], maintain_order=True).agg(mean).with_columns(run=pl.lit(run))


def pooled_magnitudes(stances: pl.DataFrame, config: PooledDriftJob) -> pl.DataFrame:
    """Return SERIES and what DRIFT says of magnitudes, over the prompts that were scored at both ends under each seed.

    A magnitude is the mean over the seeds of the differences from a seed's first checkpoint to its last. Its interval and p-values
    are those of a single run with the seeds' part of the difference (stats/seeds.py), whatever `values.interval` is.
    """
    by_prompt = prompt_means(stances)
    step, same = pl.col("step"), ["run", *CELL, "prompt_id"]
    ends = [by_prompt.filter(step == end.over("run")) for end in (step.min(), step.max())]
    pair = ends[0].join(ends[1], on=same, suffix="_last", validate="1:1").filter(step < pl.col("step_last"))
    found = crossed(pair, CELL, "mean", "mean_last")
    first, last = (found[name].to_list() for name in ("mean", "mean_last"))
    seeds = Seeds.of_each([b - a for a, b in zip(first, last, strict=True)])
    pairs = Pairs.of_each(over_seeds(first), over_seeds(last), seeds)
    low, high = difference_limits(pairs, (1 - config.values.confidence) / 2)
    numbers = pl.DataFrame({"magnitude": pairs.mean, "magnitude_low": low, "magnitude_high": high})
    numbers = numbers.with_columns(pl.when(pl.Series(pairs.prompts > 0)).then(pl.all()))
    counts = pair.group_by(CELL, maintain_order=True).agg(asked=pl.col("prompt_id").n_unique())
    drift = found.select(CELL).hstack(numbers).hstack(tests(pairs, config.drift.margin))
    drift = drift.with_columns(pl.Series("seeds", [len(a) for a in first], pl.Int64), run=pl.lit(config.run))
    return drift.join(counts, on=CELL, validate="1:1").with_columns(pl.col("asked").cast(pl.Int64))
