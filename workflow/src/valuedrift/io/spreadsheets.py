"""CSV files that people open in a spreadsheet, which runs a cell that begins like a formula; models write such texts."""

import re
from pathlib import Path

import polars as pl

from valuedrift.io.files import replacing

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")


def guarded(text: str) -> str:
    """Return the text with an apostrophe before it, by which spreadsheets take it for a text, if it begins like a formula.

    A number stays one. `unguarded` gives the text back: one that begins with apostrophes and a formula gets one more.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Return the text of which `guarded` made this cell; a cell that was typed is returned as it is."""
    return text[1:] if _GUARDED.match(text) else text


def read_csv(path: Path) -> pl.DataFrame:
    """Return the cells of a CSV file as text, null where empty, and as they were before they were guarded."""
    # The names of the columns as a row: polars leaves the doubled quotes of a quoted name as they are.
    rows = pl.read_csv(path, has_header=False, infer_schema=False)
    rows = rows.with_columns(pl.col(pl.String).map_elements(unguarded, return_dtype=pl.String))
    return rows[1:].rename({column: name or "" for column, name in zip(rows.columns, rows.row(0), strict=True)})


def write_csv(frame: pl.DataFrame, path: Path, mark: bool = False) -> None:
    """Write the frame with its names and texts guarded; `mark`: a byte order mark first, by which spreadsheets know UTF-8."""
    cells = frame.with_columns(pl.col(pl.String).map_elements(guarded, return_dtype=pl.String)).rename(guarded)
    with replacing(path) as scratch:
        cells.write_csv(scratch, include_bom=mark)
