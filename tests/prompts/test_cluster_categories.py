import numpy as np
import polars as pl
import pytest

from valuedrift.config.prompts import CategoriesJob
from valuedrift.errors import UserError
from valuedrift.frames import CATEGORIES, CATEGORY_EMBEDDINGS, CLUSTERS, EMBEDDINGS, NAMES
from valuedrift.prompts import categories
from valuedrift.prompts.vectors import column, matrix, unit

# Prompts by (cluster, direction); the categories lie on the axes. Cluster 2 lies between them, cluster 3 opposite to both.
PROMPTS = [(0, [1, 0, 0]), (0, [1, 0, 0.2]), (1, [0.9, 0.1, 0]), (2, [0, 1, 3]), (3, [-1, -1, 0]), (-1, [0, 1, 0])]
NAMED = {0: "war", 1: "peace", 2: "cake", 3: "noise"}
AXES = {"Politics": [1, 0, 0], "Law": [0, 1, 0]}


def vectors(rows):
    return column(unit(np.asarray(rows, dtype=np.float32)))


@pytest.fixture
def place(tmp_path):
    """Runs the step on the prompts above."""
    paths = {name: tmp_path / f"{name}.parquet" for name in ("names", "clusters", "embeddings", "category_embeddings", "output")}
    ids = [f"p{n}" for n in range(len(PROMPTS))]
    clusters = [{"source_id": i, "cluster": c, "membership": 0.5} for i, (c, _) in zip(ids, PROMPTS, strict=True)]
    CLUSTERS.write(CLUSTERS.frame(clusters), paths["clusters"])
    NAMES.write(NAMES.frame([{"cluster": n, "name": name} for n, name in NAMED.items()]), paths["names"])
    EMBEDDINGS.write(pl.DataFrame({"source_id": ids}).with_columns(vectors([v for _, v in PROMPTS])), paths["embeddings"])
    axes = pl.DataFrame({"category": list(AXES)}).with_columns(vectors(list(AXES.values())))
    CATEGORY_EMBEDDINGS.write(axes, paths["category_embeddings"])

    def run(least=0.5, **clusters):
        categories.run(config=CategoriesJob(clusters=clusters, min_similarity=least), **paths)
        return CATEGORIES.read(paths["output"])

    return run


def test_a_cluster_goes_to_the_nearest_category_if_it_is_near(place):
    frame = place()
    assert frame["category"].to_list() == ["Politics", "Politics", None, None]
    assert frame["nearest"].to_list()[:3] == ["Politics", "Politics", "Law"]
    assert frame["prompts"].to_list() == [2, 1, 1, 1]
    assert frame["similarity"].to_list() == pytest.approx([0.99518, 0.99388, 0.31623, -0.70711], abs=1e-4)


def test_the_threshold_decides(place):
    assert place(0.3)["category"].to_list() == ["Politics", "Politics", "Law", None]
    assert place(1.0)["category"].to_list() == [None] * 4


def test_a_named_cluster_belongs_whatever_its_similarity(place):
    frame = place(Law=["noise", "war"])
    assert frame["category"].to_list() == ["Law", "Politics", None, "Law"]
    assert frame["nearest"][0] == "Politics"


def test_an_unknown_cluster_is_answered_with_the_nearest_name(place):
    with pytest.raises(UserError, match=r"`prompts.categories.Law.clusters`: there is no cluster `nois`; did you mean `noise`\?"):
        place(Law=["nois"])


def test_a_cluster_in_two_categories_is_an_error(place):
    with pytest.raises(UserError, match="the cluster `war` is in `Law` already"):
        place(Law=["war"], Politics=["war"])


def test_vectors_come_back_from_a_column():
    rows = np.asarray([[3, 4], [0, 0]], dtype=np.float32)
    assert matrix(pl.DataFrame([column(rows)])).tolist() == rows.tolist()
    assert unit(rows).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
    assert matrix(pl.DataFrame([column(np.empty((0, 0)))])).shape == (0, 0)
