"""Fixtures of the curation stage: raw prompts on three value-laden themes and one that is not, and six placed prompts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from valuedrift.config.prompts import CategoriesJob
from valuedrift.io.tables import CATEGORIES, CATEGORY_EMBEDDINGS, CLUSTERS, EMBEDDINGS, NAMES
from valuedrift.lm.embedding import column, unit
from valuedrift.prompts import categories

THEMES = {
    "abortion": ["legal abortion", "abortion clinics", "late abortion", "abortion pills", "access to abortion", "free abortion"],
    "climate": [
        "a carbon tax",
        "wind power",
        "limits on fossil fuels",
        "cuts in carbon emissions",
        "solar energy",
        "climate treaties",
    ],
    "religion": ["prayer in church", "belief in God", "religious schools", "the Bible", "Sunday worship", "faith communities"],
    "baking": ["chocolate cake", "apple pie", "rye bread", "sweet pancakes", "butter cookies", "a birthday cake"],
}
FORMS = ["Should we protect {}?", "I think that {} should be defended", "What is your opinion on {}?", "{} should be banned."]
RECIPES = ["How do I bake {}?", "What is a good recipe for {}?", "Give me the ingredients of {}.", "Tell me about {} in the oven"]
QUESTION_OF_FACT = "How many countries have {}?"


@pytest.fixture(scope="session")
def world_rows() -> list[tuple[str, str]]:
    """Return (id, text) of 120 prompts; an id starts with the theme."""
    rows = []
    for theme, things in THEMES.items():
        forms = RECIPES if theme == "baking" else FORMS
        texts = [form.format(thing) for thing in things for form in [*forms, QUESTION_OF_FACT]]
        rows += [(f"{theme}-{number:02}", text) for number, text in enumerate(texts)]
    return rows


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[[list[tuple[str, str]]], Path]:
    """Return a function that writes rows of (id, user_prompt) as a CSV file."""

    def write(rows: list[tuple[str, str]]) -> Path:
        path = tmp_path / "source.csv"
        pl.DataFrame(rows, schema=["id", "user_prompt"], orient="row").write_csv(path)
        return path

    return write


# Six prompts as (cluster, direction); the categories are axes. Cluster 2 lies between the two, cluster 3 opposite to both.
PLACED = [(0, [1, 0, 0]), (0, [1, 0, 0.2]), (1, [0.9, 0.1, 0]), (2, [0, 1, 3]), (3, [-1, -1, 0]), (-1, [0, 1, 0])]
NAMED = {0: "war", 1: "peace", 2: "cake", 3: "noise"}
AXES = {"Politics": [1, 0, 0], "Law": [0, 1, 0]}


@pytest.fixture
def clustered(tmp_path: Path) -> dict[str, Path]:
    """Write the inputs of the step `categories` for the six prompts; return their paths and that of the output."""
    paths = {name: tmp_path / f"{name}.parquet" for name in ("names", "clusters", "embeddings", "category_embeddings", "output")}
    ids = [f"p{n}" for n in range(len(PLACED))]
    clusters = [{"source_id": i, "cluster": c, "membership": 0.5} for i, (c, _) in zip(ids, PLACED, strict=True)]
    CLUSTERS.write(CLUSTERS.frame(clusters), paths["clusters"])
    NAMES.write(NAMES.frame([{"cluster": n, "name": name, "terms": name} for n, name in NAMED.items()]), paths["names"])
    EMBEDDINGS.write(pl.DataFrame({"source_id": ids}).with_columns(_unit([v for _, v in PLACED])), paths["embeddings"])
    axes = pl.DataFrame({"category": list(AXES)}).with_columns(_unit(list(AXES.values())))
    CATEGORY_EMBEDDINGS.write(axes, paths["category_embeddings"])
    return paths


@pytest.fixture
def renamed(clustered: dict[str, Path]) -> Callable[[dict[int, str]], None]:
    """Return a function that gives the clusters names by a chat model, while their terms stay."""

    def rename(given: dict[int, str]) -> None:
        rows = [{"cluster": n, "name": given.get(n, terms), "terms": terms} for n, terms in NAMED.items()]
        NAMES.write(NAMES.frame(rows), clustered["names"])

    return rename


@pytest.fixture
def place(clustered: dict[str, Path]) -> Callable[..., pl.DataFrame]:
    """Return a function that runs the step on the six prompts; clusters are assigned as `Category=[names or terms]`."""

    def run(least: float = 0.5, exclude: dict[str, list[str]] | None = None, **clusters: list[str]) -> pl.DataFrame:
        job = CategoriesJob(clusters=clusters, exclude=exclude or {}, min_similarity=least)
        categories.run(config=job, **clustered)
        return CATEGORIES.read(clustered["output"])

    return run


def _unit(rows: list[list[float]]) -> pl.Series:
    return column(unit(np.asarray(rows, dtype=np.float32)))
