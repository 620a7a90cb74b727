"""Keeps the prompts that are similar enough to a category, the most similar ones of each."""

import sys
from pathlib import Path

import polars as pl

from valuedrift.config.synthetic import RetrievalJob
from valuedrift.errors import UserError
from valuedrift.io.tables import CANDIDATES
from valuedrift.synthetic.texts import write_counts


def run(*, config: RetrievalJob, candidates: Path, output: Path, counts: Path) -> None:
    """Write at most `cap` prompts of each category, the most similar first, and count how many there were to choose from."""
    frame = CANDIDATES.read(candidates)
    similar = frame.filter(pl.col("similarity") >= config.threshold)
    if not similar.height:
        best = max(frame["similarity"], default=0.0)
        raise UserError(
            f"none of {frame.height} prompts has a similarity of {config.threshold:g} to a category, the highest is {best:.2f}: "
            "lower `synthetic.threshold`"
        )
    kept = similar.sort("category", "similarity", "prompt", descending=[False, True, False])
    kept = kept.group_by("category", maintain_order=True).head(config.cap)
    tallies = {
        category: {
            "nearest": _count(frame, category),
            "similar enough": _count(similar, category),
            "kept": _count(kept, category),
        }
        for category in sorted(set(frame["category"]))
    }
    CANDIDATES.write(kept, output)
    write_counts(tallies, counts)
    print(f"{kept.height} of {frame.height} prompts in {kept['category'].n_unique()} categories", file=sys.stderr)


def _count(frame: pl.DataFrame, category: str) -> int:
    return frame.filter(pl.col("category") == category).height
