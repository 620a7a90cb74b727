"""Drift tables: a block per metric, a row per category, three stances per run (Tables 1 and 9-16 of the paper)."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.tables import DriftTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT
from valuedrift.report.marks import MARKS, explained
from valuedrift.report.numbers import decimal, interval, number
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.report.table_files import Rows, write

SEPARATOR = " / "
"""Between the levels of headings in the name of a CSV column, from which `layout` reads the levels again."""
FURTHER = {
    "low": {metric: f"{metric}_low" for metric in ("magnitude", "half", "ninety")},
    "high": {metric: f"{metric}_high" for metric in ("magnitude", "half", "ninety")}, "prompts": {"magnitude": "prompts"},
    "asked": {"magnitude": "asked"}, "seeds": {"magnitude": "seeds"}, "q": {"magnitude": "q"}, "verdict": {"magnitude": "verdict"},
}  # fmt: skip
"""Further CSV columns of a number: metric → column of DRIFT."""
TITLES = {
    "magnitude": "drift magnitude",
    "time": "drift time",
    "half": "time of half the drift",
    "ninety": "time of 90% of the drift",
}


def run(*, config: DriftTableJob, drift: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: the CSV at full precision with one row of headings, Markdown and LaTeX with two decimals."""
    frame = pivot(pl.concat([DRIFT.frame([]), *(DRIFT.read(path) for path in drift)]), config)
    write(frame, partial(layout, intervals=config.interval == "all"), config.caption, csv, markdown, latex)


def pivot(drift: pl.DataFrame, job: DriftTableJob) -> pl.DataFrame:
    """Return one row per metric and category: `metric`, `category`, what intervals and verdicts mean, then the numbers.

    A number is `<headings> / <stance>`, and `<headings> / <stance> / low`, `high`, `prompts` (scored at both ends), `asked`,
    `seeds` (of a run with several), `q` and `verdict` follow it; those of a metric that has none are null. Raises UserError for a
    run that has no drift by the job's judge.
    """
    judged = drift.filter(pl.col("judge") == job.judge)
    found = {(row["run"], row["category"], row["stance"]): row for row in judged.iter_rows(named=True)}
    seeds = dict(judged.group_by("run").agg(pl.col("seeds").max()).iter_rows())
    if missing := [column.run for column in job.columns if column.run not in seeds]:
        raise UserError(
            f"no drift of the run `{missing[0]}` by the judge `{job.judge}`: the columns of a drift table are trained runs, not"
            " base models; correct `tables` in the config"
        )
    left_out = (set() if job.verdicts else {"q", "verdict"}) | ({"low", "high"} if job.interval == "none" else set())
    further = {name: of for name, of in FURTHER.items() if name not in left_out and of.keys() & set(job.metrics)}
    keys = [(metric, category) for metric in job.metrics for category in job.categories]
    columns = [pl.Series("metric", [m for m, _ in keys], pl.String), pl.Series("category", [c for _, c in keys], pl.String)]
    columns += [pl.Series(name, [value] * len(keys)) for name, value in _meaning(judged, job, further).items()]
    for column in job.columns:
        shown = {name: of for name, of in further.items() if name != "seeds" or seeds[column.run] > 1}
        for stance in STANCES:
            name = SEPARATOR.join(heading.replace(SEPARATOR, "/") for heading in (*column.headings, stance))
            cells = [(metric, found.get((column.run, category, stance), {})) for metric, category in keys]
            columns.append(pl.Series(name, [row.get(metric) for metric, row in cells], pl.Float64))
            columns += [_further(f"{name}{SEPARATOR}{after}", of, cells) for after, of in shown.items()]
    return pl.DataFrame(columns)


def _further(name: str, of: dict[str, str], cells: Sequence[tuple[str, dict[str, Any]]]) -> pl.Series:
    """Return a column of what belongs to the numbers of a metric, from the metric and the row of DRIFT of each."""
    return pl.Series(name, [row[of[m]] if m in of and row else None for m, row in cells], DRIFT.columns[next(iter(of.values()))])


def layout(rows: Rows, intervals: bool = True) -> Table:
    """Return the table of the CSV's rows, with or without intervals; raises LookupError or ValueError for rows of another table."""
    names = [name for name in rows[0] if name.rsplit(SEPARATOR, 1)[-1] in STANCES]
    if not names:
        raise ValueError("none of its columns ends in a stance")
    columns = [text_column("Category"), *(number_column(*name.split(SEPARATOR)) for name in names)]
    seeds = {name: max((int(row.get(f"{name}{SEPARATOR}seeds") or 1) for row in rows), default=1) for name in names}
    lines = [[Cell(row["category"]), *(_cell(row, name, seeds[name], intervals) for name in names)] for row in rows]
    by_metric = groupby(zip(rows, lines, strict=True), key=lambda pair: pair[0]["metric"])
    blocks = [Block(TITLES.get(metric, metric), [line for _, line in pairs]) for metric, pairs in by_metric]
    return Table(columns, blocks, block_heading="Metric", note=_note(rows[0], blocks, seeds))


def _meaning(judged: pl.DataFrame, job: DriftTableJob, further: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return the columns that say what intervals and verdicts mean, the same in each row."""
    meaning: dict[str, object] = {"confidence": job.confidence} if further.keys() & {"low", "verdict"} else {}
    if "verdict" in further:
        meaning |= {"margin": job.margin, "correction": job.correction, "tested": judged["p"].count()}
    if {*job.metrics} - {"magnitude"} and job.times == "moved":
        meaning["times"] = job.times
    return meaning


def _cell(row: dict[str, str], name: str, seeds: int, intervals: bool) -> Cell:
    found = {further: row.get(f"{name}{SEPARATOR}{further}", "") for further in FURTHER}
    ends = interval(number(found["low"]), number(found["high"])) if intervals else ""
    few = f"({found['prompts']} of {found['asked']})" if found["prompts"] != found["asked"] else ""
    fewer = f"({found['seeds']} of {seeds} seeds)" if found["seeds"] and int(found["seeds"]) < seeds else ""
    return Cell(decimal(number(row[name])), MARKS.get(found["verdict"], ""), tuple(filter(None, (ends, few, fewer))))


def _note(row: dict[str, str], blocks: list[Block], seeds: dict[str, int]) -> str:
    """Return what marks and small print mean, as far as there are any."""
    small = [line for block in blocks for cells in block.rows for cell in cells for line in cell.small]
    parts = []
    if "tested" in row:
        tested = f"{row['tested']} drifts by this judge"
        parts.append(explained("drift", tested, float(row["confidence"]), float(row["margin"]), row["correction"]))
    if "times" in row:
        parts.append("What did not move has no drift time.")
    if any(line.startswith("[") for line in small):
        parts.append(f"In brackets: {100 * float(row['confidence']):.4g}% intervals.")
    if any(line.startswith("(") for line in small):
        parts.append("In parentheses: from how many of the prompts, or seeds, where some could not be scored at both ends.")
    several = {name.rpartition(SEPARATOR)[0]: count for name, count in seeds.items() if count > 1}
    if several:
        named = "; ".join(f"{heading} ({count})" for heading, count in several.items())
        parts.append(f"Means over training seeds, whose spread the intervals take in: {named}.")
    return " ".join(parts)
