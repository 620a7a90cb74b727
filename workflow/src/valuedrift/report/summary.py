"""The study in a few lines for the terminal, printed when it is done."""

from pathlib import Path

import polars as pl

from valuedrift.io.tables import DRIFT
from valuedrift.report.layout import decimal
from valuedrift.report.overview import mean_drift

WIDTH = 100


def run(*, drift: Path, report: Path) -> None:
    """Print the drift of each run by the first judge of the table, mean over the categories, and where the report lies."""
    print(summary(DRIFT.read(drift)))
    print(f"\nThe report: {report}")


def summary(drift: pl.DataFrame) -> str:
    """The table as text, at most WIDTH columns wide; the start of a run's id gives way where it is too long."""
    if drift.is_empty():
        return "No run was trained, so there is no drift to show."
    judge = drift["judge"][0]
    categories = drift.filter(pl.col("judge") == judge)["category"].n_unique()
    noun = "category" if categories == 1 else "categories"
    rows = [(row[0], *map(decimal, row[1:])) for row in mean_drift(drift, judge).iter_rows()]
    wide = min(WIDTH - 4 * 9, max(len(row[0]) for row in rows))
    lines = [
        _clip(f"Drift magnitude by stance and drift time, mean over {categories} {noun}; judge: {judge}", WIDTH),
        "",
        _line("run", ("support", "neutral", "oppose", "time"), wide),
        *(_line(name, cells, wide) for name, *cells in rows),
    ]
    return "\n".join(lines)


def _line(name: str, cells: tuple[str, ...] | list[str], wide: int) -> str:
    name = name if len(name) <= wide else f"…{name[1 - wide :]}"
    return f"{name:<{wide}}" + "".join(f"{cell:>9}" for cell in cells)


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
