"""A small world of its own for the curation stage: three value-laden themes and one that is not."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

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
    """(id, text) of 120 prompts; the id starts with the theme."""
    rows = []
    for theme, things in THEMES.items():
        forms = RECIPES if theme == "baking" else FORMS
        texts = [form.format(thing) for thing in things for form in [*forms, QUESTION_OF_FACT]]
        rows += [(f"{theme}-{number:02}", text) for number, text in enumerate(texts)]
    return rows


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[[list[tuple[str, str]]], Path]:
    """Writes rows of (id, user_prompt) as a CSV file."""

    def write(rows: list[tuple[str, str]]) -> Path:
        path = tmp_path / "source.csv"
        pl.DataFrame(rows, schema=["id", "user_prompt"], orient="row").write_csv(path)
        return path

    return write
