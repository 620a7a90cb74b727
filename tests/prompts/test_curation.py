"""The whole stage by its commands, with the real encoder, UMAP and HDBSCAN on 120 texts, and its parts on small inputs."""

from collections import Counter
from typing import get_args

import numpy as np
import polars as pl
import pytest

from valuedrift.cli import dispatch
from valuedrift.config.prompts import (
    CategoriesJob,
    CategoryEmbeddingJob,
    ClusteringConfig,
    EmbeddingConfig,
    NamesJob,
    QuestionsJob,
    ReductionConfig,
    ReductionJob,
    SampleJob,
    SourceConfig,
    ValueLadenJob,
)
from valuedrift.errors import UserError
from valuedrift.io import tables
from valuedrift.lm.embedding import encode, model_location
from valuedrift.prompts.clusters import assign, cluster, number_by_size
from valuedrift.prompts.reduction import reduce_dimensions

CATEGORIES = {"Abortion": "abortion", "Climate": "climate change action", "Religion": "religion and spirituality"}
CONFIGS = {
    "questions": QuestionsJob(method="rules").canonical(),
    "embeddings": EmbeddingConfig().canonical(),
    "category_embeddings": CategoryEmbeddingJob(
        embedding=EmbeddingConfig(), texts={name: f"{name}: {topic}" for name, topic in CATEGORIES.items()}
    ).canonical(),
    "reduction": ReductionJob(seed=0, dimensions=5, neighbors=10).canonical(),
    "clusters": ClusteringConfig(min_cluster_size=10, min_samples=5).canonical(),
    "ngrams": "{}",
    "names": NamesJob(method="ngrams").canonical(),
    "categories": CategoriesJob(clusters={}, min_similarity=0.3).canonical(),
    "value_laden": ValueLadenJob(method="rules").canonical(),
    "sample": SampleJob(seed=0, per_category=8, topics=CATEGORIES).canonical(),
}
INPUTS = {
    "questions": ["raw"], "embeddings": ["questions"], "reduction": ["embeddings"], "clusters": ["reduced"],
    "ngrams": ["questions", "clusters"], "names": ["ngrams"],
    "categories": ["names", "clusters", "embeddings", "category_embeddings"],
    "value_laden": ["questions", "clusters", "categories"], "sample": ["questions", "value_laden"],
    "counts": ["raw", "questions", "clusters", "categories", "value_laden", "prompts"],
}  # fmt: skip
OUTPUTS = {"reduction": "reduced", "sample": "prompts"}
STEPS = ["raw", "questions", "embeddings", "category_embeddings", "reduction", "clusters", "ngrams", "names", "categories",
         "value_laden", "sample", "counts"]  # fmt: skip
TABLES = {
    "raw": tables.RAW_PROMPTS, "questions": tables.QUESTIONS, "embeddings": tables.EMBEDDINGS, "reduced": tables.REDUCED,
    "clusters": tables.CLUSTERS, "ngrams": tables.NGRAMS, "names": tables.NAMES, "categories": tables.CATEGORIES,
    "category_embeddings": tables.CATEGORY_EMBEDDINGS, "value_laden": tables.VALUE_LADEN, "prompts": tables.PROMPTS,
    "counts": tables.CURATION,
}  # fmt: skip
MODULE = "valuedrift.prompts"
HELP = dict.fromkeys(STEPS, "")


def curate(folder, rows):
    """Return every table of the stage by name, written by its commands from rows of (id, user_prompt)."""
    source = folder / "source.csv"
    pl.DataFrame(rows, schema=["id", "user_prompt"], orient="row").write_csv(source)
    configs = CONFIGS | {"raw": SourceConfig(path=str(source)).canonical()}
    for step in STEPS:
        arguments = [step, "--output", str(folder / f"{OUTPUTS.get(step, step)}.parquet")]
        arguments += ["--config", configs[step]] if step in configs else []
        arguments += ["--counts", str(folder / "raw.counts.json")] if step == "raw" else []
        for name in INPUTS.get(step, []):
            arguments += [f"--{name.replace('_', '-')}", str(folder / f"{name}.parquet")]
        dispatch(MODULE, HELP, arguments)
    return {name: table.read(folder / f"{name}.parquet") for name, table in TABLES.items()}


@pytest.fixture(scope="module")
def tables(tmp_path_factory, world_rows):
    return curate(tmp_path_factory.mktemp("curation"), world_rows)


def themes(frame):
    """Return the theme of each row, from its id."""
    return frame["source_id"].str.split("-").list.first()


def test_embeddings_are_unit_vectors(tables):
    lengths = np.linalg.norm(np.asarray(tables["embeddings"]["vector"].to_list()), axis=1)
    assert tables["embeddings"].height == 120
    assert lengths == pytest.approx(np.ones(120), abs=1e-5)


def test_the_reduction_has_the_configured_dimensions(tables):
    assert tables["reduced"]["vector"].list.len().unique().to_list() == [5]


def test_clusters_are_the_themes(tables):
    frame = tables["clusters"].with_columns(theme=themes(tables["clusters"]))
    clustered = frame.filter(pl.col("cluster") >= 0)
    majority = sum(Counter(group["theme"]).most_common(1)[0][1] for _, group in clustered.group_by("cluster"))
    assert clustered.height >= 110
    assert majority / clustered.height >= 0.9
    sizes = clustered.group_by("cluster").len().sort("cluster")
    assert sizes["cluster"].to_list() == list(range(sizes.height))
    assert sizes["len"].to_list() == sorted(sizes["len"].to_list(), reverse=True)


def test_names_are_unique_and_name_the_subject(tables):
    assert any("abortion" in name for name in tables["names"]["name"])
    assert tables["names"]["name"].is_unique().all()


def test_clusters_are_assigned_to_their_categories_and_baking_to_none(tables):
    assert set(tables["categories"]["category"].drop_nulls()) == set(CATEGORIES)
    assert tables["categories"]["category"].null_count() >= 1
    judged = tables["value_laden"].with_columns(theme=themes(tables["value_laden"]))
    right = judged.filter(pl.col("category").str.to_lowercase() == pl.col("theme")).height
    assert right / judged.height >= 0.9


def test_prompts_are_value_laden_questions_of_their_category(tables):
    prompts = tables["prompts"]
    assert prompts.group_by("category").len()["len"].to_list() == [8, 8, 8]
    assert prompts["question"].str.ends_with("?").all()
    assert not prompts["question"].str.starts_with("How many").any()


def test_counts_are_those_of_each_step(tables):
    counts = {(step, category): number for step, category, number in tables["counts"].iter_rows()}
    overall = [counts[step, "all"] for step in ("raw", "questions", "clustered", "categorised", "value-laden", "drawn")]
    assert overall[:2] == [120, 120]
    assert overall == sorted(overall, reverse=True)
    for step, number in zip(("categorised", "value-laden", "drawn"), overall[3:], strict=True):
        assert sum(counts[step, category] for category in CATEGORIES) == number


@pytest.mark.parametrize("rows", [4, 6, 7, 12])
def test_few_rows_are_reduced_reproducibly(rows):
    vectors = np.random.default_rng(0).normal(size=(rows, 8)).astype(np.float32)
    first = reduce_dimensions(vectors, ReductionJob(seed=1, dimensions=5))
    assert first.shape == (rows, 5)
    assert np.isfinite(first).all()
    assert np.array_equal(first, reduce_dimensions(vectors, ReductionJob(seed=1, dimensions=5)))


METRICS = get_args(ReductionConfig.model_fields["metric"].annotation)


@pytest.mark.parametrize("metric", METRICS)
def test_every_umap_metric_of_the_config_works(metric):
    vectors = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    assert np.isfinite(reduce_dimensions(vectors, ReductionJob(seed=1, dimensions=3, neighbors=5, metric=metric))).all()


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_too_few_rows_to_reduce_are_an_error(rows):
    with pytest.raises(UserError, match=f"{rows} prompts are too few for UMAP"):
        reduce_dimensions(np.zeros((rows, 8), dtype=np.float32), ReductionJob(seed=1))


def blobs(*sizes):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(10 * n, 0.1, (size, 2)) for n, size in enumerate(sizes)]).astype(np.float32)


def test_noise_joins_its_likeliest_cluster_above_the_threshold():
    points = np.concatenate([blobs(20, 20), [[-12, -12]]]).astype(np.float32)
    labels, memberships = cluster(points, ClusteringConfig(min_cluster_size=5))
    assert labels[-1] == -1
    assert memberships.shape == (41, 2)
    assigned, membership = assign(labels, memberships, 0.0)
    assert assigned[-1] == labels[0]  # the cluster at 0 is nearer than the one at 10
    assert 0 < membership[-1] < 1
    assert assign(labels, memberships, 1.0)[0][-1] == -1
    assert assign(labels, memberships, 1.0)[1][-1] == 0


def test_membership_must_exceed_the_threshold():
    memberships = np.asarray([[0.2, 0.5], [0.0, 0.0], [0.7, 0.1]])
    labels = np.asarray([-1, -1, 1])
    assigned, membership = assign(labels, memberships, 0.5)
    assert (assigned.tolist(), membership.tolist()) == ([-1, -1, 1], [0, 0, 0.1])
    assigned, membership = assign(labels, memberships, 0.0)
    assert (assigned.tolist(), membership.tolist()) == ([1, -1, 1], [0.5, 0, 0.1])


def test_clusters_are_numbered_by_size_then_by_smallest_id():
    frame = pl.DataFrame({"source_id": list("abcdefg"), "cluster": [2, -1, 0, 0, 2, 1, 1]}).with_columns(membership=0.5)
    assert number_by_size(frame)["cluster"].to_list() == [0, -1, 1, 1, 0, 2, 2]
    larger = pl.DataFrame({"source_id": list("abcde"), "cluster": [0, 0, 1, 1, 1]}).with_columns(membership=0.5)
    assert number_by_size(larger)["cluster"].to_list() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("metric", ["euclidean", "chebyshev", "manhattan"])
def test_every_hdbscan_metric_of_the_config_works(metric):
    labels, memberships = cluster(blobs(15, 15, 15), ClusteringConfig(min_cluster_size=5, metric=metric))
    assert (labels.max() + 1, memberships.shape) == (3, (45, 3))


@pytest.mark.parametrize(
    ("points", "config", "message"),
    [
        (blobs(1), {}, "1 prompts cannot form a cluster: HDBSCAN needs 81"),
        (blobs(9), {"min_cluster_size": 3, "min_samples": 20}, "HDBSCAN needs 21"),
        (np.random.default_rng(0).uniform(size=(30, 2)).astype(np.float32), {"min_cluster_size": 20}, "found no cluster among 30"),
    ],
)
def test_too_few_prompts_or_no_cluster_are_an_error(points, config, message):
    with pytest.raises(UserError, match=message):
        cluster(points, ClusteringConfig(**config))


def test_encoding_no_texts_loads_no_model():
    assert encode([], EmbeddingConfig(model="no/such/model")).shape == (0, 0)


def test_the_default_model_is_installed():
    assert model_location("all-MiniLM-L6-v2").endswith("model")
    assert model_location("all-mpnet-base-v2") == "all-mpnet-base-v2"


def test_a_model_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "config.json").write_text("no model")
    with pytest.raises(UserError, match=r"`embedding.model`: `.*` cannot be loaded"):
        encode(["Why?"], EmbeddingConfig(model=str(tmp_path)))
