"""Measures how well curation, which does not see the prompts' labels, recovered them."""

from pathlib import Path

import polars as pl
from sklearn.metrics import adjusted_rand_score

from valuedrift.io.files import replacing
from valuedrift.io.tables import CATEGORIES, CLUSTERS, VALUE_LADEN


def run(*, labels: Path, clusters: Path, categories: Path, value_laden: Path, output: Path) -> None:
    """Write measure, value, prompts.

    The measures are the adjusted Rand indices of clusters and of categories against the themes, and precision and recall of the
    value filter.
    """
    truth = pl.read_parquet(labels).rename({"id": "source_id"})
    assigned = CLUSTERS.read(clusters).join(CATEGORIES.read(categories).select("cluster", "category"), on="cluster", how="left")
    found = truth.join(assigned, on="source_id").with_columns(pl.col("category").fill_null("none"))
    filtered = VALUE_LADEN.read(value_laden).join(truth, on="source_id")
    kept, valued = filtered.filter("keep"), truth.filter(pl.col("kind") == "value")
    right = filtered.filter(pl.col("keep") & (pl.col("kind") == "value") & (pl.col("theme") == pl.col("category"))).height
    rows = [
        ("clusters against themes: adjusted Rand index", adjusted_rand_score(found["theme"], found["cluster"]), found.height),
        ("categories against themes: adjusted Rand index", adjusted_rand_score(found["theme"], found["category"]), found.height),
        ("kept prompts that are value-laden and of their category", right / max(kept.height, 1), kept.height),
        ("value-laden prompts that are kept in their category", right / max(valued.height, 1), valued.height),
    ]
    with replacing(output) as scratch:
        pl.DataFrame(rows, schema=["measure", "value", "prompts"], orient="row").write_parquet(scratch)
