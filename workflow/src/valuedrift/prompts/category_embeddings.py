"""Embeds the categories as unit vectors, from the texts that describe them."""

from pathlib import Path

import polars as pl

from valuedrift.config.prompts import CategoryEmbeddingJob
from valuedrift.io.tables import CATEGORY_EMBEDDINGS
from valuedrift.lm.embedding import column, encode


def run(*, config: CategoryEmbeddingJob, output: Path) -> None:
    """Embed each category's text."""
    vectors = column(encode(list(config.texts.values()), config.embedding))
    CATEGORY_EMBEDDINGS.write(pl.DataFrame([pl.Series("category", list(config.texts), dtype=pl.String), vectors]), output)
