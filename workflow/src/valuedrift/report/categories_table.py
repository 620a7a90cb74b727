"""Table 2 of the paper: the categories with the number of prompts that each curation step kept."""

from pathlib import Path

import polars as pl

from valuedrift.config.tables import CategoriesTableJob
from valuedrift.io.tables import CURATION
from valuedrift.report.numbers import MISSING
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.report.table_files import Rows, write

ALL = "all"
"""CURATION's category for all prompts together, also those that have no category yet."""


def run(*, config: CategoriesTableJob, curation: Path, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: one row per category and one for all prompts, one column per curation step."""
    wide = CURATION.read(curation).pivot("step", index="category", values="prompts", maintain_order=True)
    rows = pl.DataFrame({"category": [*config.categories, ALL]}).join(wide, on="category", how="left", maintain_order="left")
    write(rows, layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows."""
    steps = [name for name in rows[0] if name != "category"]
    columns = [text_column("Category"), *(number_column(step) for step in steps)]
    cells = {row["category"]: [row[step] or MISSING for step in steps] for row in rows}
    categories = [[name, *numbers] for name, numbers in cells.items() if name != ALL]
    return Table(columns, [block("", categories), block("", [["All", *cells[ALL]]])])
