"""Raw prompts: the source's rows as id and text, without exact duplicates."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from valuedrift.config.prompts import SourceConfig
from valuedrift.io.records import MalformedRow, Row, parse_rows, read_rows, text_field
from valuedrift.io.tables import RAW_PROMPTS
from valuedrift.prompts.english import folded, tidy


def run(*, config: SourceConfig, output: Path, counts: Path) -> None:
    """Read the source, drop duplicates and write the rest in the order of their ids, and what became of the rows."""
    found = read_rows(config.path, config.split, subset=config.subset)
    rows, tally = parse_rows(found, _parser(config), config.max_malformed, config.path)
    frame = distinct(RAW_PROMPTS.frame([dict(row) for row in rows]))
    tally.counts.update(duplicates=len(rows) - frame.height)
    tally.write(counts)
    RAW_PROMPTS.write(frame, output)


def distinct(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each text, whatever its case and spacing: the one with the smallest source_id; sorted by source_id.

    Everything below depends on the order of the rows (UMAP's layout does), so the order must not be the source's.
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
    """The id as a string; CSV gives strings, other formats may give whole numbers."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise MalformedRow(f"no id in the field `{name}`")
    return str(value).strip()
