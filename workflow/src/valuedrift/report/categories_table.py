"""Table 2 of the paper: the categories, with how many prompts each step of curation kept."""

from pathlib import Path

import polars as pl

from valuedrift.config.report import CategoriesTableJob
from valuedrift.io.tables import CURATION
from valuedrift.report.layout import MISSING
from valuedrift.report.texts import Block, Column, Rows, TextTable, write

ALL = "all"
"""What CURATION calls the prompts of all categories, and those that have none yet."""


def run(*, config: CategoriesTableJob, curation: Path, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: a row for each category and one for all prompts, a column for each step."""
    wide = CURATION.read(curation).pivot("step", index="category", values="prompts", maintain_order=True)
    rows = pl.DataFrame({"category": [*config.categories, ALL]}).join(wide, on="category", how="left", maintain_order="left")
    write(rows, layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> TextTable:
    """The table of the CSV's rows."""
    steps = [name for name in rows[0] if name != "category"]
    columns = [Column("Category"), *(Column(step, numeric=True) for step in steps)]
    cells = {row["category"]: [row[step] or MISSING for step in steps] for row in rows}
    blocks = [[[name, *numbers] for name, numbers in cells.items() if name != ALL], [["All", *cells[ALL]]]]
    return TextTable(columns, [Block("", block) for block in blocks])
