import numpy as np
import polars as pl
import pytest

from valuedrift.errors import UserError
from valuedrift.lm.embedding import column, matrix, unit


def test_a_cluster_is_assigned_to_the_nearest_category_if_similar_enough(place):
    frame = place()
    assert frame["category"].to_list() == ["Politics", "Politics", None, None]
    assert frame["nearest"].to_list()[:3] == ["Politics", "Politics", "Law"]
    assert frame["prompts"].to_list() == [2, 1, 1, 1]
    assert frame["similarity"].to_list() == pytest.approx([0.99518, 0.99388, 0.31623, -0.70711], abs=1e-4)


def test_the_threshold_decides(place):
    assert place(0.3)["category"].to_list() == ["Politics", "Politics", "Law", None]
    assert place(1.0)["category"].to_list() == [None] * 4


def test_a_cluster_listed_in_a_category_belongs_there_whatever_its_similarity(place):
    frame = place(Law=["noise", "war"])
    assert frame["category"].to_list() == ["Law", "Politics", None, "Law"]
    assert frame["nearest"][0] == "Politics"


def test_an_unknown_cluster_is_an_error_that_suggests_the_nearest_name(place):
    with pytest.raises(UserError, match=r"`prompts.categories.Law.clusters`: unknown cluster `nois`; did you mean `noise`\?"):
        place(Law=["nois"])


def test_a_cluster_in_two_categories_is_an_error(place):
    with pytest.raises(UserError, match="the cluster `war` is already in `Law`"):
        place(Law=["war"], Politics=["war"])


def test_a_category_can_exclude_its_cluster(place):
    frame = place(exclude={"Politics": ["war"]})
    assert frame["category"].to_list() == [None, "Politics", None, None]
    assert frame["nearest"][0] == "Politics"
    assert frame.drop("category").equals(place().drop("category"))


def test_an_excluded_cluster_may_be_listed_in_another_category(place):
    assert place(exclude={"Politics": ["war"]}, Law=["war"])["category"][0] == "Law"


def test_excluding_a_cluster_that_is_not_similar_changes_nothing(place):
    assert place(exclude={"Law": ["war", "cake"]}).equals(place())


def test_excluding_an_unknown_cluster_is_an_error(place):
    with pytest.raises(UserError, match=r"`prompts.categories.Law.exclude`: unknown cluster `wor`; did you mean `war`\?"):
        place(exclude={"Law": ["wor"]})


def test_a_cluster_both_listed_and_excluded_is_an_error(place):
    with pytest.raises(
        UserError, match=r"`prompts.categories.Law.exclude`: the cluster `war` is in `clusters` of the same category"
    ):
        place(exclude={"Law": ["war"]}, Law=["war"])


def test_clusters_listed_by_terms_do_not_depend_on_a_chat_models_names(place, renamed):
    wanted = {"exclude": {"Politics": ["war"]}, "Law": ["noise"]}
    before = place(**wanted)
    renamed({0: "Armed conflict", 3: "Sounds"})
    after = place(**wanted)
    assert after["name"].to_list() == ["Armed conflict", "peace", "cake", "Sounds"]
    assert after.drop("name").equals(before.drop("name"))


def test_clusters_can_be_listed_by_a_chat_models_names(place, renamed):
    before = place(exclude={"Politics": ["war"]}, Law=["noise"])
    renamed({0: "Armed conflict", 3: "Sounds"})
    assert place(exclude={"Politics": ["Armed conflict"]}, Law=["Sounds"])["category"].equals(before["category"])


def test_a_clusters_name_and_its_terms_refer_to_the_same_cluster(place, renamed):
    renamed({0: "Armed conflict"})
    with pytest.raises(UserError, match="the cluster `war` is already in `Law`"):
        place(Law=["war"], Politics=["Armed conflict"])
    with pytest.raises(UserError, match="the cluster `war` is in `clusters` of the same category"):
        place(exclude={"Law": ["war"]}, Law=["Armed conflict"])


def test_terms_that_are_another_clusters_name_refer_to_the_cluster_with_these_terms(place, renamed):
    renamed({0: "noise"})
    assert place(Law=["noise"])["category"].to_list() == ["Politics", "Politics", None, "Law"]


def test_errors_list_the_terms(place, renamed):
    renamed({0: "Armed conflict", 1: "Concord", 2: "Pastry", 3: "Sounds"})
    with pytest.raises(UserError, match=r"unknown cluster `Zebras`; known are: cake, noise, peace, war$"):
        place(Law=["Zebras"])


def test_matrix_returns_the_vectors_of_a_column():
    rows = np.asarray([[3, 4], [0, 0]], dtype=np.float32)
    assert matrix(pl.DataFrame([column(rows)])).tolist() == rows.tolist()
    assert unit(rows).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
    assert matrix(pl.DataFrame([column(np.empty((0, 0)))])).shape == (0, 0)
