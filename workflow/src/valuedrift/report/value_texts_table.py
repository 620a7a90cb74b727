"""Table 7 of the paper: the two value texts of each category under which synthetic responses are written."""

from pathlib import Path

import polars as pl

from valuedrift.config.tables import ValueTextsTableJob
from valuedrift.report.table import Table, block, text_column
from valuedrift.report.table_files import Rows, write

NAMES = ["category", "support", "oppose"]


def run(*, config: ValueTextsTableJob, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table."""
    write(pl.DataFrame(config.texts, schema=NAMES, orient="row"), layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows."""
    headings = {"Category": 0.24, "Value (support)": 0.38, "Value (oppose)": 0.38}
    columns = [text_column(heading, share=share) for heading, share in headings.items()]
    return Table(columns, [block("", [[row[name] for name in NAMES] for row in rows])])
