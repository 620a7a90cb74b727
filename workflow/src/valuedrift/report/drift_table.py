"""Drift tables: a block per metric, a row per category, three stances per run (Tables 1 and 9-16 of the paper)."""

from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.tables import DriftTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT
from valuedrift.report.numbers import decimal
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.report.table_files import Rows, write

SEPARATOR = " / "
"""Between the levels of headings in the name of a CSV column, from which `layout` reads the levels again."""
SPREADS = ("sd", "seeds")
"""Further CSV columns of a number over several seeds: standard deviation, and how many seeds have a value."""
TITLES = {"magnitude": "drift magnitude", "time": "drift time"}


def run(*, config: DriftTableJob, drift: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: the CSV at full precision with one row of headings, Markdown and LaTeX with two decimals."""
    frame = pivot(pl.concat([DRIFT.frame([]), *(DRIFT.read(path) for path in drift)]), config)
    write(frame, layout, config.caption, csv, markdown, latex)


def pivot(drift: pl.DataFrame, job: DriftTableJob) -> pl.DataFrame:
    """Return one row per metric and category: `metric`, `category`, then `<headings> / <stance>` for each run and stance.

    With several seeds the number is their mean, and `<name> / sd` (n - 1; null for fewer than two values) and `<name> / seeds`
    (how many have a value) follow it. Raises UserError for a run that has no drift by the job's judge.
    """
    judged = drift.filter(pl.col("judge") == job.judge)
    measured = set(judged["run"])
    for column in job.columns:
        if missing := [run for run in column.runs if run not in measured]:
            raise UserError(
                f"no drift of the run `{missing[0]}` by the judge `{job.judge}`: the columns of a drift table are trained runs, not"
                " base models; correct `tables` in the config"
            )
    found = {(row["run"], row["category"], row["stance"]): row for row in judged.iter_rows(named=True)}
    keys = [(metric, category) for metric in job.metrics for category in job.categories]
    columns = [pl.Series("metric", [m for m, _ in keys], pl.String), pl.Series("category", [c for _, c in keys], pl.String)]
    for column in job.columns:
        for stance in STANCES:
            name = SEPARATOR.join(heading.replace(SEPARATOR, "/") for heading in (*column.headings, stance))
            seeds = [[found.get((run, c, stance), {}).get(m) for run in column.runs] for m, c in keys]
            columns += _over_seeds(name, seeds)
    return pl.DataFrame(columns)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows; raises LookupError or ValueError for rows of another table."""
    names = [name for name in rows[0] if name not in ("metric", "category") and name.rsplit(SEPARATOR, 1)[-1] not in SPREADS]
    if not names or any(name.rsplit(SEPARATOR, 1)[-1] not in STANCES for name in names):
        raise ValueError("its columns do not end in a stance")
    columns = [text_column("Category"), *(number_column(*name.split(SEPARATOR)) for name in names)]
    blocks = [
        Block(TITLES.get(metric, metric), [[Cell(row["category"]), *(_cell(row, name) for name in names)] for row in same])
        for metric, same in groupby(rows, key=lambda row: row["metric"])
    ]
    return Table(columns, blocks, block_heading="Metric")


def _over_seeds(name: str, cells: list[list[float | None]]) -> list[pl.Series]:
    """Return the columns of one number. A seed without a value, where no response could be scored, is left out and not counted."""
    if all(len(values) == 1 for values in cells):
        return [pl.Series(name, [values[0] for values in cells], pl.Float64)]
    known = [[value for value in values if value is not None] for values in cells]
    return [
        pl.Series(name, [fmean(values) if values else None for values in known], pl.Float64),
        pl.Series(f"{name}{SEPARATOR}sd", [stdev(values) if len(values) > 1 else None for values in known], pl.Float64),
        pl.Series(f"{name}{SEPARATOR}seeds", [len(values) for values in known]),
    ]


def _cell(row: dict[str, str], name: str) -> Cell:
    sd = row.get(f"{name}{SEPARATOR}sd", "")
    return Cell(decimal(_number(row[name])), decimal(_number(sd)) if sd else "")


def _number(text: str) -> float | None:
    return float(text) if text else None
