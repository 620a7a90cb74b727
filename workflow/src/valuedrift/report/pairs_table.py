"""Table 8 of the paper: one pair of a synthetic preference set per category."""

import hashlib
from pathlib import Path

import polars as pl

from valuedrift.config.tables import PairsTableJob
from valuedrift.errors import UserError
from valuedrift.io.records import Row, parse_rows, text_field
from valuedrift.io.row_files import read_rows
from valuedrift.report.table import Table, block, text_column
from valuedrift.report.table_files import Rows, shorten, write

NAMES = ["category", "prompt", "support", "oppose"]


def run(*, config: PairsTableJob, pairs: Path, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table. `pairs` has rows of category, prompt, support and oppose; long responses are cut, in the CSV too."""
    found, _ = parse_rows(read_rows(str(pairs)), _pair, config.max_malformed, str(pairs))
    rows = [draw(found, category, config.seed) for category in config.categories]
    cut = [[category, prompt, *(shorten(text, config.longest) for text in texts)] for category, prompt, *texts in rows]
    write(pl.DataFrame(cut, schema=NAMES, orient="row"), layout, config.caption, csv, markdown, latex)


def draw(pairs: list[list[str]], category: str, seed: int) -> list[str]:
    """Return a random pair of the category; it stays the same if other pairs change. Raises UserError if there is none."""
    of_category = [pair for pair in pairs if pair[0] == category]
    if not of_category:
        raise UserError(
            f"the preference set has no pair of the category `{category}`; it has: {', '.join(sorted({p[0] for p in pairs}))}"
        )
    return min(of_category, key=lambda pair: hashlib.sha256(f"{seed}:{pair[1]}".encode()).hexdigest())


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows."""
    headings = {"Category": 0.15, "Prompt": 0.17, "Response (support)": 0.34, "Response (oppose)": 0.34}
    columns = [text_column(heading, share=share) for heading, share in headings.items()]
    return Table(columns, [block("", [[row[name] for name in NAMES] for row in rows])])


def _pair(row: Row) -> list[str]:
    return [text_field(row, name) for name in NAMES]
