"""The one layout of every drift table: blocks of metrics, rows of categories, columns of headings and stances (Tables 1, 9-16)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import TableJob
from valuedrift.errors import UserError

MISSING = "–"
SEPARATOR = " / "
"""Between the heading levels of a column's name in the CSV, from which the report reads the levels again."""
TITLES = {"magnitude": "drift magnitude", "time": "drift time"}


@dataclass(frozen=True)
class Row:
    """A category with one value for each column; None where there is none."""

    category: str
    values: list[float | None]


@dataclass(frozen=True)
class Block:
    """The rows of one metric (magnitude or time)."""

    metric: str
    rows: list[Row]

    @property
    def title(self) -> str:
        return TITLES.get(self.metric, self.metric)


@dataclass(frozen=True)
class Layout:
    """A drift table. `headings` has one tuple a column: top level first, the stance last, "" where a column has fewer levels."""

    headings: list[tuple[str, ...]]
    blocks: list[Block]

    def spans(self) -> list[list[tuple[str, int]]]:
        """For each level of headings, from the top: the headings with the number of columns that each stands over."""
        return [
            [(above[-1], width) for above, width in _runs(h[: level + 1] for h in self.headings)] for level in range(self.depth)
        ]

    @property
    def depth(self) -> int:
        """Levels of headings, the stances included."""
        return len(self.headings[0])

    @property
    def names(self) -> list[str]:
        """The name of each column in a file with one header row: its headings from the top, joined by SEPARATOR."""
        return [SEPARATOR.join(h.replace(SEPARATOR, "/") for h in column if h) for column in self.headings]


def pivot(drift: pl.DataFrame, job: TableJob) -> Layout:
    """The layout that `job` asks of a DRIFT table; raises UserError where a column's run has no drift by the job's judge."""
    judged = drift.filter(pl.col("judge") == job.judge)
    measured = set(judged["run"])
    for column in job.columns:
        if column.run not in measured:
            raise UserError(
                f"no drift of the run `{column.run}` by the judge `{job.judge}`: a drift table's columns are trained runs, not base"
                " models; mend `tables` in the config"
            )
    cells = {(row["run"], row["category"], row["stance"]): row for row in judged.iter_rows(named=True)}

    def value(run: str, category: str, stance: str, metric: str) -> float | None:
        return cells.get((run, category, stance), {}).get(metric)

    return Layout(
        _pad([(*column.headings, stance) for column in job.columns for stance in STANCES]),
        [
            Block(m, [Row(c, [value(column.run, c, s, m) for column in job.columns for s in STANCES]) for c in job.categories])
            for m in job.metrics
        ],
    )


def to_frame(layout: Layout) -> pl.DataFrame:
    """One row for each metric and category, the values at full precision: `metric`, `category`, then `layout.names`."""
    schema = {"metric": pl.String, "category": pl.String} | dict.fromkeys(layout.names, pl.Float64)
    rows = [[block.metric, row.category, *row.values] for block in layout.blocks for row in block.rows]
    return pl.DataFrame(rows, schema=schema, orient="row")


def read_layout(path: Path) -> Layout:
    """The layout that the table step wrote as CSV; raises UserError where the file is something else."""
    try:
        frame = pl.read_csv(path, infer_schema=False)
        names = frame.columns[2:]
        values = frame.select(pl.col(names).cast(pl.Float64)).rows()
        labels = frame.select("metric", "category").rows()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} is no drift table: {error}; delete it and run again") from error
    if not names or any(name.rsplit(SEPARATOR, 1)[-1] not in STANCES for name in names):
        raise UserError(f"{path} is no drift table: its columns do not end in a stance; delete it and run again")
    rows = [(metric, Row(category, list(cells))) for (metric, category), cells in zip(labels, values, strict=True)]
    blocks = [Block(metric, [row for _, row in group]) for metric, group in groupby(rows, key=lambda pair: pair[0])]
    return Layout(_pad([tuple(name.split(SEPARATOR)) for name in names]), blocks)


def decimal(value: float | None, places: int = 2) -> str:
    """The number as the paper prints it: two decimals, never "-0.00"; MISSING for null and for what is no finite number."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _pad(headings: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All equally long: a column with fewer levels stands directly above its stances."""
    depth = max(map(len, headings))
    return [("",) * (depth - len(column)) + column for column in headings]


def _runs(items: Iterator[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], int]]:
    return ((item, len(list(same))) for item, same in groupby(items))
