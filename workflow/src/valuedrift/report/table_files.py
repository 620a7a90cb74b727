"""The files of every table step: a CSV with the data, and the printed table as Markdown and LaTeX.

The report reads the CSV again and shows the same table as HTML.
"""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.spreadsheets import read_csv, write_csv
from valuedrift.report.table import Table
from valuedrift.report.table_formats import to_latex, to_markdown

Rows = list[dict[str, str]]
"""Rows of a CSV as text, "" where a value is missing."""


def write(frame: pl.DataFrame, layout: Callable[[Rows], Table], caption: str, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the data as CSV, and the table that `layout` makes of the CSV's rows as Markdown and LaTeX."""
    write_csv(frame, csv)
    table = read(csv, layout)
    with replacing(markdown) as scratch:
        scratch.write_text(to_markdown(table, caption), encoding="utf-8")
    with replacing(latex) as scratch:
        scratch.write_text(to_latex(table, caption), encoding="utf-8")


def read(csv: Path, layout: Callable[[Rows], Table]) -> Table:
    """Return the table of a table step's CSV; raises UserError if the file is not one that `layout` understands."""
    try:
        return layout(read_csv(csv).fill_null("").to_dicts())
    except (OSError, pl.exceptions.PolarsError, LookupError, ValueError) as error:
        raise UserError(f"{csv} is not a table of its kind ({error}); write it again with `snakemake --force {csv}`") from error


def shorten(text: str, longest: int) -> str:
    """Return the text, cut after a word and followed by " [...]" if it is longer than `longest` characters.

    Not `textwrap.shorten`, which joins the paragraphs of a response, drops a word that is longer than the limit altogether and
    counts the placeholder.
    """
    text = text.strip()
    if len(text) <= longest:
        return text
    cut = text[:longest]
    whole = cut[-1].isspace() or text[longest].isspace()
    return f"{(cut if whole else cut.rsplit(maxsplit=1)[0]).rstrip()} [...]"
