"""Mixes two preference sets: a given share of pairs with a value gap, and pairs without one."""

from collections import Counter
from pathlib import Path
from random import Random

import polars as pl

from valuedrift.config.data import MixtureJob
from valuedrift.errors import UserError
from valuedrift.io.records import Tally
from valuedrift.io.tables import PREFERENCE_SET


def run(*, config: MixtureJob, gap: Path, rest: Path, output: Path, counts: Path) -> None:
    """Draw the mixture's rows, split by split, from the set `gap` and from the set `rest`, and shuffle them.

    The draws are nested: a larger share keeps the smaller one's pairs with a gap and drops pairs without one, so that two mixtures
    differ in the exchanged pairs only.
    """
    sets = PREFERENCE_SET.read(gap), PREFERENCE_SET.read(rest)
    parts = [_mixed(*sets, split, config) for split in ("train", "validation")]
    mixed = pl.concat(part for _, part in parts)
    mixed = mixed.with_columns(row=pl.int_range(mixed.height, dtype=pl.Int64))
    PREFERENCE_SET.write(mixed, output)
    counted = {f"{split} pairs with a gap": drawn for split, (drawn, _) in zip(("train", "validation"), parts, strict=True)}
    sizes = {split: mixed.filter(pl.col("split") == split).height for split in ("train", "validation")}
    Tally(Counter({"read": sum(s.height for s in sets), "kept": mixed.height} | counted | sizes)).write(counts)


def _mixed(gap: pl.DataFrame, rest: pl.DataFrame, split: str, config: MixtureJob) -> tuple[int, pl.DataFrame]:
    """Return how many rows have a gap, and all rows of the split in random order."""
    gap, rest = (_shuffled(part, split, config.seed) for part in (gap, rest))
    size = min(gap.height, rest.height)
    if split == "train" and config.rows is not None:
        size = config.rows
    wanted = round(config.share * size)
    for name, part, needed in (("gap", gap, wanted), ("rest", rest, size - wanted)):
        if part.height < needed:
            raise UserError(f"the mixture's `{name}` set has {part.height} {split} rows, {needed} are needed: lower its `rows`")
    mixed = pl.concat([gap.head(wanted), rest.head(size - wanted)])
    return wanted, mixed[_order(mixed.height, config.seed)]


def _shuffled(rows: pl.DataFrame, split: str, seed: int) -> pl.DataFrame:
    part = rows.filter(pl.col("split") == split)
    return part[_order(part.height, seed)]


def _order(rows: int, seed: int) -> list[int]:
    order = list(range(rows))
    Random(seed).shuffle(order)
    return order
