"""What trainings learned: the loss on their own data, and what they measured on examples that they did not learn from."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from valuedrift.io.tables import TRAINING_LOG
from valuedrift.report.numbers import MISSING, decimal, percent
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.stats.agreement import share

Series = Mapping[str, list[tuple[int, float]]]
"""Metric → step and value, by step."""


def training_table(runs: list[str], logs: list[Path]) -> Table:
    """Return one row for each training's log, those of `runs` in their order, then those of reward models."""
    log = pl.concat([TRAINING_LOG.frame([]), *(TRAINING_LOG.read(path) for path in logs)]).sort("run", "metric", "step")
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for run, metric, step, value in log.select("run", "metric", "step", "value").iter_rows():
        found.setdefault(run, {}).setdefault(metric, []).append((step, value))
    ordered = [*(run for run in runs if run in found), *(run for run in found if run not in runs)]
    columns = [
        text_column("training"), *(number_column("loss", end) for end in ("first", "last")), number_column("held out", "rows"),
        *(number_column("validation loss", name) for name in ("before", "lowest", "at step", "last")),
        *(number_column("accuracy on held-out pairs", name) for name in ("last", "95% interval")),
    ]  # fmt: skip
    return Table(columns, [block("", [[run, *_losses(found[run]), *_held_out(found[run])] for run in ordered])])


def _losses(series: Series) -> list[str]:
    logged = series.get("loss", [])
    return [decimal(logged[0][1], 3), decimal(logged[-1][1], 3)] if logged else [MISSING, MISSING]


def _held_out(series: Series) -> list[str]:
    """Return rows, the validation loss before, at its lowest and last, and the last accuracy with Wilson's interval."""
    losses, accuracies = series.get("validation_loss", []), series.get("validation_accuracy", [])
    rows = round(series["validation_rows"][-1][1]) if "validation_rows" in series else 0
    shown = [str(rows) if rows else "none", *[MISSING] * 6]
    if losses:
        step, lowest = min(losses, key=lambda point: (point[1], point[0]))
        shown[1:5] = [decimal(losses[0][1], 3), decimal(lowest, 3), str(step), decimal(losses[-1][1], 3)]
    if accuracies:
        found = share(round(accuracies[-1][1] * rows), rows, 0.95)
        shown[5:] = [percent(found.value), f"{percent(found.low)} to {percent(found.high)}"]
    return shown
