"""Assigns each cluster to one of the study's categories, or to none."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.explain import nearest
from valuedrift.config.prompts import CategoriesJob
from valuedrift.errors import UserError
from valuedrift.io.tables import CATEGORIES, CATEGORY_EMBEDDINGS, CLUSTERS, EMBEDDINGS, NAMES
from valuedrift.lm.embedding import Matrix, matrix, unit


def run(*, config: CategoriesJob, names: Path, clusters: Path, embeddings: Path, category_embeddings: Path, output: Path) -> None:
    """Write one row per cluster: name, terms, size, nearest category, similarity, and the category that it belongs to."""
    named = NAMES.read(names).sort("cluster")
    clusters_of, excluded = by_terms(config.clusters, "clusters", named), by_terms(config.exclude, "exclude", named)
    placed = forced(clusters_of)
    check_excluded(excluded, clusters_of)
    sizes, centres = centroids(CLUSTERS.read(clusters).join(EMBEDDINGS.read(embeddings), on="source_id", maintain_order="left"))
    categories = CATEGORY_EMBEDDINGS.read(category_embeddings)
    rows: list[dict[str, object]] = []
    for number, name, terms in named.iter_rows():
        similarities = matrix(categories) @ centres[number]
        best = int(similarities.argmax())
        similarity, category = float(np.clip(similarities[best], -1, 1)), categories["category"][best]
        near = similarity >= config.min_similarity and terms not in excluded.get(category, [])
        belongs = placed.get(terms, category if near else None)
        rows.append({"cluster": number, "name": name, "terms": terms, "prompts": sizes[number], "nearest": category,
                     "similarity": similarity, "category": belongs})  # fmt: skip
    CATEGORIES.write(CATEGORIES.frame(rows), output)


def by_terms(wanted: Mapping[str, list[str]], field: str, named: pl.DataFrame) -> dict[str, list[str]]:
    """Return category → terms of the clusters that the config lists in `field`, by name or by terms.

    Raise UserError for a cluster that does not exist.
    """
    known = terms_by_name(named)
    for category, clusters in wanted.items():
        for cluster in clusters:
            if cluster not in known:
                key = f"prompts.categories.{category}.{field}"
                raise UserError(f"config: `{key}`: unknown cluster `{cluster}`{nearest(cluster, set(known.values()))}")
    return {category: [known[cluster] for cluster in clusters] for category, clusters in wanted.items()}


def terms_by_name(named: pl.DataFrame) -> dict[str, str]:
    """Return name or terms → terms. A string that is one cluster's name and another's terms refers to the other."""
    return dict(zip(named["name"], named["terms"], strict=True)) | {terms: terms for terms in named["terms"]}


def forced(clusters: Mapping[str, list[str]]) -> dict[str, str]:
    """Return cluster terms → category; raise UserError for a cluster in two categories."""
    placed: dict[str, str] = {}
    for category, wanted in clusters.items():
        for terms in wanted:
            if placed.setdefault(terms, category) != category:
                key = f"prompts.categories.{category}.clusters"
                raise UserError(
                    f"config: `{key}`: the cluster `{terms}` is already in `{placed[terms]}`; keep it in one of the two"
                )
    return placed


def check_excluded(exclude: Mapping[str, list[str]], clusters: Mapping[str, list[str]]) -> None:
    """Raise UserError for a cluster that a category both includes and excludes."""
    for category, unwanted in exclude.items():
        for terms in unwanted:
            if terms in clusters.get(category, []):
                key = f"prompts.categories.{category}.exclude"
                raise UserError(
                    f"config: `{key}`: the cluster `{terms}` is in `clusters` of the same category; keep it in one of the two"
                )


def centroids(frame: pl.DataFrame) -> tuple[dict[int, int], dict[int, Matrix]]:
    """Return each cluster's size and its centre: the mean of its unit vectors, scaled to unit length."""
    sizes: dict[int, int] = {}
    centres: dict[int, Matrix] = {}
    for (number,), rows in frame.filter(pl.col("cluster") >= 0).group_by("cluster", maintain_order=True):
        sizes[int(str(number))] = rows.height
        centres[int(str(number))] = unit(matrix(rows).mean(axis=0, keepdims=True))[0]
    return sizes, centres
