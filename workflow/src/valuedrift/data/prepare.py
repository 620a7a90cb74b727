"""What SFT sets and preference sets have in common: reading, drawing, splitting, counting."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from valuedrift.config.training import DatasetConfig
from valuedrift.frames import replacing
from valuedrift.rows import Row, parse_rows, read_rows

T = TypeVar("T")


def load(config: DatasetConfig, parse: Callable[[Row, DatasetConfig], T | None], seed: int) -> tuple[list[T], dict[str, int]]:
    """The dataset's parsed rows, at most `limit` of them in random order, and the counts of what was read and kept."""
    rows, counts = parse_rows(
        read_rows(config.path, config.revision, config.split), lambda row: parse(row, config), config.max_malformed, config.path
    )
    Random(seed).shuffle(rows)
    rows = rows[: config.limit]
    return rows, counts | {"drawn": len(rows)}


def splits(rows: int, validation: float) -> list[str]:
    """The split of each row: the validation rows last, rounded to the nearest, and never all of them."""
    held_out = min(round(rows * validation), rows - 1)
    return ["train"] * (rows - held_out) + ["validation"] * held_out


def write_counts(counts: dict[str, int], split: list[str], path: Path) -> None:
    """Counts as JSON: read, skipped, malformed by reason, kept, drawn, train, validation."""
    counts = counts | {name: split.count(name) for name in ("train", "validation")}
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")
