"""Table 17 of the paper: scores on benchmarks, and how far each model's differs from that of the base model it descends from."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import polars as pl

from valuedrift.config.tables import DownstreamTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM, DOWNSTREAM_QUESTIONS
from valuedrift.report.numbers import MISSING, decimal, interval, p_value
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.report.table_files import Rows, write
from valuedrift.stats.paired import Difference, paired_difference, t_difference

DIFFERENCE = ("difference", "difference_low", "difference_high", "p")
"""Columns of the CSV that say how a run differs from its base model."""
NOTE = (
    "From base: the mean difference from the base model on the same questions, with its 95% interval. p: McNemar's exact test "
    "where answers are right or wrong, else Student's t; over several seeds Student's t of their differences. It is not corrected "
    "for the number of rows."
)


def run(
    *, config: DownstreamTableJob, downstream: list[Path], questions: list[Path], csv: Path, markdown: Path, latex: Path
) -> None:
    """Write the table. `downstream` and `questions` are of its runs, in any order; the CSV has one row per run and task."""
    scores = pl.concat([DOWNSTREAM.frame([]), *(DOWNSTREAM.read(path) for path in downstream)])
    rows = [(*_headings(row.headings), run, task) for row in config.rows for run in row.runs for task in config.tasks]
    asked = pl.DataFrame(rows, schema=["group", "name", "run", "task"], orient="row")
    if not (missing := asked.join(scores, on=["run", "task"], how="anti")).is_empty():
        raise UserError(f"the run `{missing['run'][0]}` has no score on `{missing['task'][0]}`: measure it first")
    frame = asked.join(scores, on=["run", "task"], how="left", maintain_order="left")
    each = pl.concat([DOWNSTREAM_QUESTIONS.frame([]), *(DOWNSTREAM_QUESTIONS.read(path) for path in questions)])
    parts = each.partition_by("run", "task", as_dict=True)
    found = [_from_base(parts, config.bases.get(run), run, task) for run, task in frame.select("run", "task").iter_rows()]
    differences = pl.DataFrame(found, schema=dict.fromkeys(DIFFERENCE, pl.Float64), orient="row")
    write(frame.hstack(differences), layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows: a score ± its standard error, or the mean over seeds ± their standard deviation.

    Where a row has a base model, each task has its difference from it too.
    """
    tasks = {row["task"]: f"({row['metric']}) {row['shots']}-shot" for row in rows}
    compared = any(row["difference"] for row in rows)
    columns = [text_column("Model")]
    for task, under in tasks.items():
        columns += [number_column(f"{task}\n{under}")] if not compared else [
            number_column(f"{task} {under}", heading) for heading in ("score", "from base")
        ]  # fmt: skip
    blocks = [
        Block(group, [[Cell(name), *(c for task in tasks for c in _cells(runs, task, compared))] for name, runs in _by_name(same)])
        for group, same in groupby(rows, key=lambda row: row["group"])
    ]
    return Table(columns, blocks, note=" ".join([*_saturated(rows, list(tasks)), *([NOTE] if compared else [])]))


def _from_base(parts: dict[tuple[object, ...], pl.DataFrame], base: str | None, run: str, task: str) -> tuple[float | None, ...]:
    """Return DIFFERENCE of a run from its base model; nothing where there is none, or where questions have no scores."""
    if base is None or (base, task) not in parts or (run, task) not in parts:
        return (None,) * len(DIFFERENCE)
    first, last = parts[base, task], parts[run, task]
    same = first.join(last, on=["part", "question"], suffix="_last").sort("part", "question")
    if not same.height == first.height == last.height:
        raise UserError(f"`{run}` and `{base}` were asked different questions of `{task}`: evaluate both again")
    return paired_difference(same["score"].to_numpy(), same["score_last"].to_numpy())


def _saturated(rows: Rows, tasks: list[str]) -> list[str]:
    """Return a sentence for each task on which all runs have the same extreme score."""
    scores = {task: {float(row["value"]) for row in rows if row["task"] == task} for task in tasks}
    return [
        f"Every model scores {decimal(max(found), 4)} on {task}: too {'easy' if max(found) else 'hard'} to tell them apart."
        for task, found in scores.items()
        if found in ({0.0}, {1.0})
    ]  # fmt: skip


def _headings(headings: list[str]) -> tuple[str, str]:
    return " ".join(headings[:-1]), headings[-1]


def _by_name(rows: Iterator[dict[str, str]]) -> Iterator[tuple[str, Rows]]:
    return ((name, list(same)) for name, same in groupby(rows, key=lambda row: row["name"]))


def _cells(rows: Rows, task: str, compared: bool) -> list[Cell]:
    seeds = [row for row in rows if row["task"] == task]
    if not compared:
        return [Cell(_score(seeds))]
    if not all(row["difference"] for row in seeds):
        return [Cell(_score(seeds)), Cell(MISSING)]
    found = _difference(seeds)
    small = (interval(found.low, found.high, 3), p_value(found.p))
    return [Cell(_score(seeds)), Cell(decimal(found.mean, 3), small=tuple(filter(None, small)))]


def _difference(seeds: Rows) -> Difference:
    if len(seeds) == 1:
        return Difference(*(float(seeds[0][name]) if seeds[0][name] else None for name in DIFFERENCE))  # type: ignore[arg-type]
    return t_difference(np.array([float(row["difference"]) for row in seeds]))


def _score(seeds: Rows) -> str:
    values = [float(row["value"]) for row in seeds]
    spread = stdev(values) if len(values) > 1 else float(seeds[0]["stderr"] or "nan")
    shown = decimal(spread, 4)
    return decimal(fmean(values), 4) + ("" if shown == MISSING else f" ± {shown}")
