"""Reads raw prompts: the source's rows as id and text, without duplicates."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from valuedrift.config.prompts import SourceConfig
from valuedrift.io.records import MalformedRow, Row, parse_rows, text_field
from valuedrift.io.row_files import read_rows
from valuedrift.io.tables import RAW_PROMPTS
from valuedrift.prompts.english import folded, tidy


def run(*, config: SourceConfig, output: Path, counts: Path) -> None:
    """Write the source's prompts without duplicates, sorted by id, and count the rows that were read, dropped and kept."""
    found = read_rows(config.path, config.split, subset=config.subset)
    rows, tally = parse_rows(found, _parser(config), config.max_malformed, config.path)
    frame = distinct(RAW_PROMPTS.frame([dict(row) for row in rows]))
    tally.counts.update(duplicates=len(rows) - frame.height)
    tally.write(counts)
    RAW_PROMPTS.write(frame, output)


def distinct(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per text, ignoring case and whitespace: the one with the smallest source_id; sorted by source_id.

    Later steps depend on the order of the rows (UMAP's layout does), so it must not be the order of the source.
    """
    fold = pl.col("source_text").map_elements(folded, return_dtype=pl.String)
    return frame.sort("source_id").unique(fold, keep="first", maintain_order=True)


def _parser(config: SourceConfig) -> Callable[[Row], dict[str, object]]:
    seen: set[str] = set()

    def parse(row: Row) -> dict[str, object]:
        source_id, text = _id_field(row, config.id), tidy(text_field(row, config.text))
        if source_id in seen:
            raise MalformedRow(f"the field `{config.id}` repeats an id")
        seen.add(source_id)
        return {"source_id": source_id, "source_text": text}

    return parse


def _id_field(row: Row, name: str) -> str:
    """Return the id as a string; CSV holds strings, other formats may hold whole numbers."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise MalformedRow(f"no id in the field `{name}`")
    return str(value).strip()
