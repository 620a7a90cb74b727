"""A short drift table for the terminal, printed when a study is done."""

import textwrap
from pathlib import Path

import polars as pl

from valuedrift.io.tables import DRIFT
from valuedrift.report.numbers import decimal
from valuedrift.report.overview import mean_drift

WIDTH = 100
COLUMN = 10
COLUMNS = ("support", "neutral", "oppose", "size", "time", "moved")


def run(*, drift: Path, report: Path) -> None:
    """Print each run's drift by the first judge of the table, mean over the categories, and the path of the report."""
    print(summary(DRIFT.read(drift)))
    print(f"\nThe report: {report}")


def summary(drift: pl.DataFrame) -> str:
    """Return the table as text, at most WIDTH characters wide; ids of runs that are too long lose their start."""
    if drift.is_empty():
        return "No run was trained, so there is no drift to print."
    judge = drift["judge"][0]
    categories = drift.filter(pl.col("judge") == judge)["category"].n_unique()
    noun = "category" if categories == 1 else "categories"
    rows = [(row[0], *map(decimal, row[1:6]), f"{row[6]} of {sum(row[6:])}") for row in mean_drift(drift, judge).iter_rows()]
    wide = min(WIDTH - len(COLUMNS) * COLUMN, max(len(row[0]) for row in rows))
    title = f"Drift magnitude by stance and drift time, mean over {categories} {noun}; judge: {judge}"
    lines = [
        textwrap.shorten(title, WIDTH, placeholder="…"),
        "",
        _line("run", COLUMNS, wide),
        *(_line(name, cells, wide) for name, *cells in rows),
        "",
        "size: of the drifts whatever their sign, less what chance alone shows.",
        "moved: of the categories' stances those whose drift is not chance, corrected for all runs.",
    ]
    return "\n".join(lines)


def _line(name: str, cells: tuple[str, ...] | list[str], wide: int) -> str:
    name = name if len(name) <= wide else f"…{name[1 - wide :]}"
    return f"{name:<{wide}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)
