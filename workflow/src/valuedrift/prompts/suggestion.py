"""Writes the config's `categories`, filled in with the clusters found: a block to copy, edit and keep."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import yaml

from valuedrift.config.prompts import CategoryConfig, SuggestionJob
from valuedrift.io.files import replacing
from valuedrift.io.tables import CATEGORIES
from valuedrift.prompts.categories import terms_by_name


def run(*, config: SuggestionJob, categories: Path, output: Path) -> None:
    """Write the block as YAML. Used as the study's config, it assigns every cluster to the category that it has now."""
    text = "\n".join(suggestion_lines(config, CATEGORIES.read(categories))) + "\n"
    with replacing(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


def suggestion_lines(config: SuggestionJob, frame: pl.DataFrame) -> Iterator[str]:
    """Yield the block's lines: the categories in the config's order, clusters by similarity, then clusters without a category.

    Clusters are listed by their terms, since a chat model may name them differently after the next clustering.
    """
    frame = frame.sort("similarity", "terms", descending=[True, False])
    yield "prompts:"
    yield "  categories:"
    for name, category in config.categories.items():
        yield from _category(name, category, frame)
    outside = frame.filter(pl.col("category").is_null())
    if outside.height:
        yield "  # In no category; to use one, move its line under the `clusters` of a category and remove its first #:"
    for row in outside.iter_rows(named=True):
        why = f"below {config.min_similarity:g}" if row["similarity"] < config.min_similarity else "excluded there"
        yield f"  #     - {_terms(row)}{row['similarity']:.2f} to {_scalar(row['nearest'])}, {why}; {_size(row)}"


def _category(name: str, category: CategoryConfig, frame: pl.DataFrame) -> Iterator[str]:
    clusters = frame.filter(pl.col("category") == name)
    yield f"    {_scalar(name)}:"
    yield f"      topic: {_scalar(category.topic)}"
    if category.description:
        yield f"      description: {_scalar(category.description)}"
    yield "      clusters:" if clusters.height else "      clusters: []"
    for row in clusters.iter_rows(named=True):
        other = "" if row["nearest"] == name else f" to {_scalar(row['nearest'])}, named here by the config"
        yield f"        - {_terms(row)}{row['similarity']:.2f}{other}; {_size(row)}"
    yield "      exclude:" if category.exclude else "      exclude: []"
    known = terms_by_name(frame)
    for excluded in category.exclude:
        yield f"        - {_scalar(known[excluded])}"


def _terms(row: dict[str, str]) -> str:
    """Return a cluster's terms and the start of a comment, which contains the name if it differs from the terms."""
    comment = "" if row["name"] == row["terms"] else f"{_scalar(row['name'])}; "
    return f"{_scalar(row['terms'])}  # {comment}"


def _size(row: dict[str, int]) -> str:
    return f"{row['prompts']:,} prompts"


def _scalar(text: str) -> str:
    """Return the text as a YAML scalar on one line, quoted where needed."""
    # Dumped as a list in flow style, whose brackets are cut off: a bare scalar would end in YAML's end-of-document mark.
    return str(yaml.safe_dump([text], default_flow_style=True, width=float("inf"), allow_unicode=True)).strip()[1:-1]
