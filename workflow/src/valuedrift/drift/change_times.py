"""When half and 90% of a value's change were reached: the drift times that estimate something, with confidence sets."""

from functools import cache

import numpy as np
import polars as pl

from valuedrift.config.drift import DriftJob
from valuedrift.drift.trajectory import considered
from valuedrift.io.manifest import Manifest
from valuedrift.io.tables import DRIFT
from valuedrift.stats.crossings import crossings
from valuedrift.stats.shares import Floats

CELL = ["run", "judge", "category", "stance"]
LEVELS = {"half": 0.5, "ninety": 0.9}
COLUMNS = [f"{name}{end}" for name in LEVELS for end in ("", "_low", "_high")]
NO_TIMES = DRIFT.frame([]).select([*CELL, *COLUMNS])


def change_times(by_prompt: pl.DataFrame, manifests: dict[str, Manifest], config: DriftJob) -> pl.DataFrame:
    """Return CELL and COLUMNS, as fractions of the total that the config chooses, from every prompt's mean at every step.

    The limits are checkpoints. Null where a value does not change, or has fewer than two prompts or checkpoints. Prompts are
    resampled with all of their checkpoints, so that what these have in common stays.
    """
    prompts = by_prompt.sort([*CELL, "prompt_id", "step"]).group_by(CELL, maintain_order=True).agg("step", "mean")
    rows = [
        _of_cell(steps, means, manifests[run], config) for run, steps, means in prompts.select("run", "step", "mean").iter_rows()
    ]
    found = pl.DataFrame(rows, schema={name: NO_TIMES.schema[name] for name in COLUMNS}, orient="row")
    return pl.concat([NO_TIMES, prompts.select(CELL).hstack(found)])


def _of_cell(steps: list[int], means: list[float | None], manifest: Manifest, config: DriftJob) -> list[float | None]:
    saved = sorted(set(steps))
    sample = np.array(means, float).reshape(-1, len(saved))
    sample = sample[~np.isnan(sample).all(1)]
    measured = {step for step, known in zip(saved, ~np.isnan(sample).all(0), strict=True) if known}
    drift = config.drift.of(manifest.dataset)
    wanted, total = considered(saved, measured, manifest.total_steps, drift)
    if len(sample) < 2 or len(wanted) < 2 or wanted[0] or not total:
        return [None] * len(COLUMNS)
    at = np.array(wanted) / total
    weights = _resamples(len(sample), config.values.resamples, config.seed)
    columns = np.searchsorted(saved, wanted)
    tail = (1 - config.values.confidence) / 2
    found = crossings(sample[:, columns], at, list(LEVELS.values()), drift.extremum, weights, tail)
    return [number for crossing in found for number in (crossing.on_grid(at) if crossing else (None,) * 3)]


@cache
def _resamples(prompts: int, resamples: int, seed: int) -> Floats:
    """Return how often each prompt is in each resample (resamples, prompts)."""
    return np.random.default_rng(seed).multinomial(prompts, np.full(prompts, 1 / prompts), resamples).astype(float)
