"""Tables of a contrast: a row per category, three differences per pair."""

from functools import partial
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.tables import ContrastTableJob
from valuedrift.io.tables import CONTRASTS
from valuedrift.report.marks import MARKS, explained
from valuedrift.report.numbers import decimal, interval, number
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.report.table_files import Rows, write

MEANING = ("confidence", "margin", "correction")


def run(*, config: ContrastTableJob, contrast: Path, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: CONTRASTS as CSV, with what its verdicts mean in each row, Markdown and LaTeX with two decimals."""
    meaning = [pl.lit(getattr(config, name)).alias(name) for name in MEANING]
    frame = CONTRASTS.read(contrast).with_columns(*meaning, tested=pl.col("p").count())
    write(frame, partial(layout, intervals=config.interval == "all"), config.caption, csv, markdown, latex)


def layout(rows: Rows, intervals: bool = True) -> Table:
    """Return the table of the CSV's rows, with or without intervals; raises LookupError or ValueError for rows of another table."""
    found = {(row["pair"], row["category"], row["stance"]): row for row in rows}
    pairs, categories = (list(dict.fromkeys(row[name] for row in rows)) for name in ("pair", "category"))
    columns = [text_column("Category"), *(number_column(pair, stance) for pair in pairs for stance in STANCES)]
    lines = [
        [Cell(category), *(_cell(found[pair, category, stance], intervals) for pair in pairs for stance in STANCES)]
        for category in categories
    ]
    return Table(columns, [Block("", lines)], note=_note(rows, intervals))


def _cell(row: dict[str, str], intervals: bool) -> Cell:
    ends = interval(number(row["low"]), number(row["high"])) if intervals else ""
    return Cell(decimal(number(row["difference"])), MARKS.get(row["verdict"], ""), (ends,) if ends else ())


def _note(rows: Rows, intervals: bool) -> str:
    row = rows[0]
    confidence, tested = float(row["confidence"]), f"{row['tested']} differences of this contrast"
    parts = ["Second less first, paired by prompt."]
    parts.append(explained("difference", tested, confidence, float(row["margin"]), row["correction"]))
    if (seeds := max(int(row["seeds"]) for row in rows)) > 1:
        parts.append(f"Means over up to {seeds} training seeds, whose spread the intervals take in.")
    if intervals:
        parts.append(f"In brackets: {100 * confidence:.4g}% intervals.")
    return " ".join(parts)
