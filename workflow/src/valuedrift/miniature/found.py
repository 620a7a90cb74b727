"""Counts which planted drifts a study found, which it missed and which it invented, by their planted size."""

from pathlib import Path

import polars as pl

from valuedrift.config.miniature import FoundJob
from valuedrift.io.columns import STANCE
from valuedrift.io.files import replacing
from valuedrift.io.tables import DRIFT

SIZES = ((0.0, 0.02, "under .02"), (0.02, 0.05, ".02 to .05"), (0.05, 0.15, ".05 to .15"), (0.15, 1.0, "over .15"))
"""From, to and name of the planted drifts that are counted together."""


def run(*, config: FoundJob, planted: Path, drift: Path, output: Path) -> None:
    """Write judge, planted (size of the drift), drifts, moved, wrong_sign, preserved and undecided, of runs that imitate a corpus.

    A run's planted drift is what its corpus takes of a stance less what the base model's corpus does. moved counts drifts of the
    planted sign, wrong_sign those that moved the other way.
    """
    drifts = planted_drifts(pl.read_parquet(planted), config.corpora).join(
        DRIFT.read(drift), on=["run", "category", "stance"], validate="1:m"
    )
    moved = pl.col("verdict") == "moved"
    same = pl.col("planted").sign() == pl.col("magnitude").sign()
    kept = [(pl.col("verdict") == verdict).sum().alias(verdict) for verdict in ("preserved", "undecided")]
    counts = [
        drifts.filter(pl.col("planted").abs().is_between(low, high, closed="left"))
        .group_by("judge", maintain_order=True)
        .agg(
            pl.lit(name).alias("planted"), pl.len().alias("drifts"), (moved & same).sum().alias("moved"),
            (moved & ~same).sum().alias("wrong_sign"), *kept,
        )
        for low, high, name in SIZES
    ]  # fmt: skip
    with replacing(output) as scratch:
        pl.concat(counts).sort("judge", maintain_order=True).write_parquet(scratch)


def planted_drifts(shares: pl.DataFrame, corpora: dict[str, str]) -> pl.DataFrame:
    """Return run, category, stance and planted drift; `shares` has corpus, category, stance, share, `corpora` what runs imitate."""
    before = shares.filter(pl.col("corpus") == "base").select("category", "stance", before="share")
    runs = pl.DataFrame(list(corpora.items()), schema={"run": pl.String, "corpus": pl.String}, orient="row")
    joined = runs.filter(pl.col("corpus") != "base").join(shares, on="corpus").join(before, on=["category", "stance"])
    return joined.select("run", "category", pl.col("stance").cast(STANCE), planted=pl.col("share") - pl.col("before")).sort(
        "run", "category", "stance"
    )
