import pytest
import yaml
from pydantic import TypeAdapter

from valuedrift.config.prompts import CategoryConfig, SuggestionJob
from valuedrift.io.tables import CATEGORIES
from valuedrift.prompts import suggestion

TOPICS = {
    "Politics": CategoryConfig(topic="elections: who wins", description="parties # and votes"),
    "Law": CategoryConfig(topic="law"),
}


@pytest.fixture
def suggest(clustered, tmp_path):
    """Return a function that runs the step on the latest output of `place` and returns its text."""

    def run(least=0.5, **categories):
        job = SuggestionJob(categories=TOPICS | categories, min_similarity=least)
        suggestion.run(config=job, categories=clustered["output"], output=tmp_path / "suggestion.yaml")
        return (tmp_path / "suggestion.yaml").read_text()

    return run


def loaded(text):
    """Return the categories that the config reads from the block."""
    return TypeAdapter(dict[str, CategoryConfig]).validate_python(yaml.safe_load(text)["prompts"]["categories"])


def test_every_cluster_is_listed_in_its_category_with_its_similarity(place, suggest):
    place()
    text = suggest()
    assert loaded(text) == TOPICS | {"Politics": TOPICS["Politics"].model_copy(update={"clusters": ["war", "peace"]})}
    assert "        - war  # 1.00; 2 prompts\n        - peace  # 0.99; 1 prompts\n" in text
    assert "  #     - cake  # 0.32 to Law, below 0.5; 1 prompts\n" in text


@pytest.mark.parametrize(
    ("least", "exclude", "clusters"),
    [
        (0.5, {}, {}),
        (0.3, {}, {}),
        (1.0, {}, {}),
        (0.5, {"Politics": ["war"]}, {"Law": ["noise"]}),
        (0.3, {"Law": ["cake"]}, {"Law": ["war"], "Politics": ["peace"]}),
    ],
)
def test_the_block_as_config_leaves_the_assignment_unchanged(place, suggest, least, exclude, clusters):
    before = place(least, exclude, **clusters)
    given = {name: TOPICS[name].model_copy(update={"exclude": exclude.get(name, [])}) for name in TOPICS}
    block = loaded(suggest(least, **given))
    assert {name: category.exclude for name, category in block.items()} == {name: exclude.get(name, []) for name in TOPICS}
    named = {name: category.clusters for name, category in block.items()}
    after = place(least, {name: category.exclude for name, category in block.items()}, **named)
    assert after.equals(before)
    # The listed clusters stay even if the similarity threshold would drop them; the others stay without a category.
    assert place(1.0, **named)["category"].equals(before["category"])


def test_clusters_are_listed_by_terms_with_a_chat_models_name_as_a_comment(place, renamed, suggest):
    renamed({0: "Armed conflict", 1: "Concord", 2: "Pastry: cakes"})
    before = place(exclude={"Politics": ["Armed conflict"]})
    text = suggest(Politics=TOPICS["Politics"].model_copy(update={"exclude": ["Armed conflict"]}))
    assert "        - peace  # Concord; 0.99; 1 prompts\n" in text
    assert "  #     - cake  # 'Pastry: cakes'; 0.32 to Law, below 0.5; 1 prompts\n" in text
    assert "  #     - noise  # -0.71" in text
    assert loaded(text)["Politics"].exclude == ["war"]
    renamed({})
    block = loaded(text)["Politics"]
    assert place(exclude={"Politics": block.exclude}, Politics=block.clusters).drop("name").equals(before.drop("name"))


def test_comments_say_where_the_config_overrides_similarity(place, suggest):
    place(exclude={"Politics": ["war"]}, Law=["noise"])
    text = suggest(Politics=TOPICS["Politics"].model_copy(update={"exclude": ["war"]}))
    assert "  #     - war  # 1.00 to Politics, excluded there; 2 prompts\n" in text
    assert "        - noise  # -0.71 to Politics, named here by the config; 1 prompts\n" in text


def test_names_that_need_quotes_in_yaml_are_read_back(tmp_path, suggest, clustered):
    names = ["no", "a: b", "'quoted' # mark", "- dash", "12", "größe / über", "x" * 200, "{brace}, comma"]
    rows = [
        {"cluster": n, "name": f"# {name}\a", "terms": name, "prompts": 3, "nearest": "Law", "similarity": 0.9, "category": "Law"}
        for n, name in enumerate(names)
    ]
    CATEGORIES.write(CATEGORIES.frame(rows), clustered["output"])
    assert sorted(loaded(suggest())["Law"].clusters) == sorted(names)
