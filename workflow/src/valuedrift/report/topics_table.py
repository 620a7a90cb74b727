"""Table 3 of the paper: the topic that the judge is asked about, for each category."""

from pathlib import Path

import polars as pl

from valuedrift.config.tables import TopicsTableJob
from valuedrift.report.table import Table, block, text_column
from valuedrift.report.table_files import Rows, write


def run(*, config: TopicsTableJob, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table."""
    write(pl.DataFrame(config.topics, schema=["category", "topic"], orient="row"), layout, config.caption, csv, markdown, latex)


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows."""
    return Table([text_column("Category"), text_column("Topic")], [block("", [[row["category"], row["topic"]] for row in rows])])
