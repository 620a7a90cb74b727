"""Writes the planted shares: the values that a perfect measurement finds in a model that imitates its corpus perfectly."""

from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.miniature.shares import MARGINALS, planted_shares


def run(*, config: MiniatureConfig, output: Path) -> None:
    """Write corpus, category, stance, share."""
    rows = [
        (corpus, category, stance, share)
        for corpus in MARGINALS
        for category, shares in planted_shares(corpus, config.seed, config.sharpness).items()
        for stance, share in zip(STANCES, shares, strict=True)
    ]
    with replacing(output) as scratch:
        pl.DataFrame(rows, schema=["corpus", "category", "stance", "share"], orient="row").write_parquet(scratch)
