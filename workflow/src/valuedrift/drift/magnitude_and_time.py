"""Drift magnitude and drift time of runs, by judge, category and stance."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.drift import DriftJob
from valuedrift.drift.change_times import NO_TIMES, change_times
from valuedrift.drift.paired import paired
from valuedrift.drift.trajectory import Point, drift_time
from valuedrift.drift.values import prompt_means
from valuedrift.errors import UserError
from valuedrift.io.files import remedy
from valuedrift.io.manifest import Manifest, read_manifest
from valuedrift.io.tables import DRIFT, STANCES, VALUES

SERIES = ["run", "judge", "category", "stance"]
MEASURED = ["magnitude", "magnitude_low", "magnitude_high", "prompts", "asked", "p", "p_preserved"]
NO_MAGNITUDES = DRIFT.frame([]).select([*SERIES, *MEASURED])
NOTHING = NO_TIMES.join(NO_MAGNITUDES, on=SERIES)


def run(*, config: DriftJob, manifests: list[Path], values: list[Path], stances: list[Path], output: Path) -> None:
    """Write DRIFT of all runs, without q and verdict; the runs' manifests hold the number of steps and the dataset of each."""
    manifest_of = {manifest.run: manifest for manifest in map(read_manifest, manifests)}
    found = []
    for path in stances:  # one table at a time
        rows = complete(STANCES.read_whole(path), path, manifest_of)
        changed = change_times(prompt_means(rows), manifest_of, config)
        found.append(changed.join(magnitudes(rows, config), on=SERIES, how="left", validate="1:1"))
    measured = [complete(VALUES.read(path), path, manifest_of) for path in values]
    time = times(pl.concat([VALUES.frame([]), *measured]), manifest_of, config)
    drift = time.join(pl.concat([NOTHING, *found]), on=SERIES, how="left", validate="1:1")
    open_yet = (pl.lit(None, DRIFT.columns[name]).alias(name) for name in ("q", "verdict"))  # they depend on all runs of the study
    drift = drift.with_columns(pl.col("prompts", "asked").fill_null(0), *open_yet, seeds=pl.lit(1, pl.Int64))
    DRIFT.write(drift.select(list(DRIFT.columns)).sort(SERIES), output)


def complete(rows: pl.DataFrame, path: Path, manifests: dict[str, Manifest]) -> pl.DataFrame:
    """Return the rows of STANCES or VALUES; raises UserError if their runs or steps are not those of the manifests."""
    for run, steps in rows.group_by("run").agg(pl.col("step").unique().sort()).iter_rows():
        if run not in manifests:
            raise UserError(f"{path} is of the run {run}, of which there is no manifest; {remedy(path)}")
        if steps != (wanted := manifests[run].measured_steps):
            raise UserError(f"{path} has the steps {steps} of {run}, whose manifest has {wanted}; {remedy(path)}")
    return rows


def magnitudes(stances: pl.DataFrame, config: DriftJob) -> pl.DataFrame:
    """Return SERIES and MEASURED from rows of STANCES of one run; no rows if it has only one checkpoint.

    Section 3 of the paper: M_s(t, t') = v_t'(T)_s - v_t(T)_s, where t is the run's first and t' its last checkpoint. The last is
    the final model, from which the next phase starts, even if the grid of the run's drift times ends before it.

    The interval is that of a difference paired by prompt: both checkpoints answer the same prompts with the same seeds, so what
    prompts have in common cancels. A prompt that could be scored at only one of the two checkpoints has no difference; the
    magnitude is then that of the other prompts. p is against "no drift", p_preserved against "a drift of the margin or more"
    (stats/shares.py), whatever the kind of the interval.
    """
    by_prompt = prompt_means(stances)
    first, last = stances["step"].min(), stances["step"].max()
    if first == last:
        return NO_MAGNITUDES
    start, end = (by_prompt.filter(pl.col("step") == step) for step in (first, last))
    found = paired(start, end, SERIES, config.values, config.drift.margin, config.seed)
    names = {"difference": "magnitude", "low": "magnitude_low", "high": "magnitude_high"}
    return found.rename(names).select(NO_MAGNITUDES.columns)


def times(values: pl.DataFrame, manifests: dict[str, Manifest], config: DriftJob) -> pl.DataFrame:
    """Return SERIES with time, extremum, extremum_step and total_steps, from rows of VALUES and each run's manifest (by run id)."""
    rows: list[dict[str, Any]] = []
    for key, series in values.group_by(SERIES, maintain_order=True):
        points = [Point(*row) for row in series.select("step", "mean", "low", "high").iter_rows()]
        manifest = manifests[str(key[0])]
        found = drift_time(points, manifest.total_steps, config.drift.of(manifest.dataset))
        rows.append(dict(zip(SERIES, key, strict=True)) | vars(found))
    names = [*SERIES, "time", "extremum", "extremum_step", "total_steps"]
    return pl.DataFrame(rows, schema={name: DRIFT.columns[name] for name in names})
