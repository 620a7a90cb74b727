"""Keeps the usable pairs of a supporting and an opposing answer."""

import sys
from collections import Counter
from pathlib import Path

import polars as pl

from valuedrift.config.base import SIDES
from valuedrift.errors import UserError
from valuedrift.io.records import Row
from valuedrift.io.tables import ANSWERS, SYNTHETIC_PAIRS
from valuedrift.lm.refusals import is_refusal
from valuedrift.synthetic.texts import folded, write_counts


def run(*, answers: Path, output: Path, counts: Path) -> None:
    """Write the pairs, which a dataset of the format `synthetic` reads, and count for each category why pairs were dropped."""
    frame = ANSWERS.read(answers)
    reasons = [reason(row) for row in frame.iter_rows(named=True)]
    kept = frame.filter(pl.Series([reason is None for reason in reasons], dtype=pl.Boolean))
    tallies = {name: Counter(asked=0, kept=0) for name in ("all", *frame["category"])}
    for category, why in zip(frame["category"], reasons, strict=True):
        for name in ("all", category):
            tallies[name].update(["asked", f"dropped: {why}" if why else "kept"])
    if not kept.height:
        listed = ", ".join(f"{name} ({number})" for name, number in Counter(reasons).most_common(3))
        raise UserError(f"none of {frame.height} pairs can be used: {listed}; check the chat model's answers")
    SYNTHETIC_PAIRS.write(kept, output)
    write_counts(tallies, counts)
    print(f"{kept.height} of {frame.height} pairs kept", file=sys.stderr)


def reason(row: Row) -> str | None:
    """Return the first reason to drop a pair, or None if it is kept."""
    for side in SIDES:
        if row[side] is None:
            return f"{side}: {row[f'{side}_problem']}"
        if is_refusal(row[side]):
            return f"{side}: refused"
    return "identical answers" if folded(row["support"]) == folded(row["oppose"]) else None
