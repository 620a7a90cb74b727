"""Table 17 of the paper: scores on benchmarks."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev

import polars as pl

from valuedrift.config.tables import DownstreamTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM
from valuedrift.report.numbers import MISSING, decimal
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.report.table_files import Rows, write


def run(*, config: DownstreamTableJob, downstream: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table. `downstream` are the scores of its runs, in any order; the CSV has one row per run and task."""
    scores = pl.concat([DOWNSTREAM.frame([]), *(DOWNSTREAM.read(path) for path in downstream)])
    rows = [(*_headings(row.headings), run, task) for row in config.rows for run in row.runs for task in config.tasks]
    asked = pl.DataFrame(rows, schema=["group", "name", "run", "task"], orient="row")
    if not (missing := asked.join(scores, on=["run", "task"], how="anti")).is_empty():
        raise UserError(f"the run `{missing['run'][0]}` has no score on `{missing['task'][0]}`: measure it first")
    frame = asked.join(scores, on=["run", "task"], how="left", maintain_order="left")
    write(frame, layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows: a score ± its standard error, or the mean over seeds ± their standard deviation."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    under = {row["task"]: f"({row['metric']}) {row['shots']}-shot" for row in rows}
    columns = [text_column("Model"), *(number_column(f"{task}\n{under[task]}") for task in tasks)]
    blocks = [
        block(group, [[name, *(_score(runs, task) for task in tasks)] for name, runs in _by_name(same)])
        for group, same in groupby(rows, key=lambda row: row["group"])
    ]
    return Table(columns, blocks)


def _headings(headings: list[str]) -> tuple[str, str]:
    return " ".join(headings[:-1]), headings[-1]


def _by_name(rows: Iterator[dict[str, str]]) -> Iterator[tuple[str, Rows]]:
    return ((name, list(same)) for name, same in groupby(rows, key=lambda row: row["name"]))


def _score(rows: Rows, task: str) -> str:
    seeds = [row for row in rows if row["task"] == task]
    values = [float(row["value"]) for row in seeds]
    spread = stdev(values) if len(values) > 1 else float(seeds[0]["stderr"] or "nan")
    shown = decimal(spread, 4)
    return decimal(fmean(values), 4) + ("" if shown == MISSING else f" ± {shown}")
