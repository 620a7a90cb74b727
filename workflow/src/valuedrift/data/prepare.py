"""Shared by SFT sets and preference sets: reading, drawing, splitting, counting."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from valuedrift.config.data import DatasetConfig
from valuedrift.io.records import Row, Tally, parse_rows
from valuedrift.io.row_files import read_rows

T = TypeVar("T")


def load(config: DatasetConfig, parse: Callable[[Row, DatasetConfig], T | None], seed: int) -> tuple[list[T], Tally]:
    """Return the dataset's parsed rows, at most `limit` of them in random order, and the counts of rows read, dropped and drawn."""
    rows, tally = parse_rows(
        read_rows(config.path, config.split, config.subset), lambda row: parse(row, config), config.max_malformed, config.path
    )
    Random(seed).shuffle(rows)
    rows = rows[: config.limit]
    tally.counts["drawn"] = len(rows)
    return rows, tally


def splits(rows: int, validation: float) -> list[str]:
    """Return each row's split: validation rows last, rounded up as in the paper (52,002 rows give 5,201), never all of them."""
    held_out = min(math.ceil(rows * validation), rows - 1)
    return ["train"] * (rows - held_out) + ["validation"] * held_out


def write_tally(tally: Tally, split: list[str], path: Path) -> None:
    """Write the counts of the rows, with the sizes of the splits."""
    tally.counts.update({name: split.count(name) for name in ("train", "validation")})
    tally.write(path)
