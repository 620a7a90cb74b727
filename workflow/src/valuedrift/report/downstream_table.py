"""Table 17 of the paper: scores on benchmarks."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev

import polars as pl

from valuedrift.config.report import DownstreamTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM
from valuedrift.report.layout import MISSING, decimal
from valuedrift.report.texts import Block, Column, Rows, TextTable, write


def run(*, config: DownstreamTableJob, downstream: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table; `downstream` are the scores of its runs, in any order. The CSV has a row for each run and task."""
    scores = pl.concat([DOWNSTREAM.frame([]), *(DOWNSTREAM.read(path) for path in downstream)])
    rows = [(*_headings(row.headings), run, task) for row in config.rows for run in row.runs for task in config.tasks]
    asked = pl.DataFrame(rows, schema=["group", "name", "run", "task"], orient="row")
    if not (missing := asked.join(scores, on=["run", "task"], how="anti")).is_empty():
        raise UserError(f"the run `{missing['run'][0]}` has no score on `{missing['task'][0]}`: measure it first")
    frame = asked.join(scores, on=["run", "task"], how="left", maintain_order="left")
    write(frame, layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> TextTable:
    """The table of the CSV's rows: a score ± its standard error, or the mean over seeds ± their standard deviation."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    under = {row["task"]: f"({row['metric']}) {row['shots']}-shot" for row in rows}
    columns = [Column("Model"), *(Column(f"{task}\n{under[task]}", numeric=True) for task in tasks)]
    blocks = [
        Block(
            group, [[name, *(_score([row for row in runs if row["task"] == task]) for task in tasks)] for name, runs in _rows(same)]
        )
        for group, same in groupby(rows, key=lambda row: row["group"])
    ]
    return TextTable(columns, blocks)


def _headings(headings: list[str]) -> tuple[str, str]:
    return " ".join(headings[:-1]), headings[-1]


def _rows(rows: Iterator[dict[str, str]]) -> Iterator[tuple[str, Rows]]:
    return ((name, list(same)) for name, same in groupby(rows, key=lambda row: row["name"]))


def _score(runs: Rows) -> str:
    values = [float(run["value"]) for run in runs]
    spread = stdev(values) if len(values) > 1 else float(runs[0]["stderr"] or "nan")
    shown = decimal(spread, 4)
    return decimal(fmean(values), 4) + ("" if shown == MISSING else f" ± {shown}")
