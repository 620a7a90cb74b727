"""Clusters the prompts by HDBSCAN with soft membership."""

import warnings
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from valuedrift.config.prompts import ClusteringConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import CLUSTERS, REDUCED
from valuedrift.lm.embedding import Matrix, matrix


def run(*, config: ClusteringConfig, reduced: Path, output: Path) -> None:
    """Cluster the prompts and number the clusters by size."""
    frame = REDUCED.read(reduced)
    labels, memberships = cluster(matrix(frame), config)
    assigned, membership = assign(labels, memberships, config.min_membership)
    result = number_by_size(frame.select("source_id").with_columns(cluster=assigned, membership=membership))
    noise, outside = int((labels < 0).sum()), int((assigned < 0).sum())
    print(
        f"{memberships.shape[1]} clusters; {noise} of {frame.height} prompts were noise, {noise - outside} of them joined a cluster"
    )
    CLUSTERS.write(result, output)


def cluster(points: Matrix, config: ClusteringConfig) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return HDBSCAN's label of each point (-1 for noise) and its soft membership of each cluster (points × clusters).

    Raise UserError if HDBSCAN finds no cluster.
    """
    too_few = "lower `prompts.clustering.min_cluster_size`, or add prompts"
    needed = max(config.min_cluster_size, config.min_samples or 0) + 1
    if len(points) < needed:
        raise UserError(f"{len(points)} prompts cannot form a cluster: HDBSCAN needs {needed} with these settings; {too_few}")
    import hdbscan

    clusterer = hdbscan.HDBSCAN(
        min_cluster_size=config.min_cluster_size,
        min_samples=config.min_samples,
        metric=config.metric,
        cluster_selection_method="eom",
        prediction_data=True,
        core_dist_n_jobs=1,
    ).fit(points.astype(np.float64))
    if clusterer.labels_.max() < 0:
        raise UserError(f"HDBSCAN found no cluster among {len(points)} prompts: {too_few}")
    with warnings.catch_warnings():  # HDBSCAN divides by 0, on purpose, for a point at distance 0 from an exemplar
        warnings.simplefilter("ignore", RuntimeWarning)
        memberships = hdbscan.all_points_membership_vectors(clusterer)
    return clusterer.labels_, np.nan_to_num(memberships.reshape(len(points), -1))


def assign(
    labels: NDArray[np.int64], memberships: NDArray[np.float64], least: float
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return each point's cluster and its soft membership of that cluster.

    Noise joins the cluster of its largest membership if that exceeds `least`; otherwise it stays -1, with membership 0.
    """
    likeliest = memberships.argmax(axis=1)
    joins = (labels < 0) & (memberships.max(axis=1) > least)
    assigned = np.where(joins, likeliest, labels)
    own = np.take_along_axis(memberships, np.maximum(assigned, 0)[:, None], axis=1)[:, 0]
    return assigned.astype(np.int32), np.where(assigned < 0, 0.0, np.clip(own, 0.0, 1.0))


def number_by_size(frame: pl.DataFrame) -> pl.DataFrame:
    """Number the clusters from 0 by size, ties by smallest source_id: HDBSCAN's own numbers follow the order of its tree."""
    order = (
        frame.filter(pl.col("cluster") >= 0)
        .group_by("cluster")
        .agg(pl.len().alias("size"), pl.col("source_id").min().alias("first"))
        .sort(["size", "first"], descending=[True, False])
        .with_row_index("number")
    )
    numbers = {-1: -1} | dict(zip(order["cluster"], order["number"], strict=True))
    return frame.with_columns(pl.col("cluster").replace_strict(numbers, return_dtype=pl.Int32))
