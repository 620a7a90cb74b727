import re

import pytest
from pydantic import ValidationError

from valuedrift.config.synthetic import FIGURE_7, SIDES, TABLE_7, SyntheticConfig, ValueTexts, system_prompt
from valuedrift.miniature.vocabulary import TOPICS

CONFIG = {"sources": ["ultrafeedback"], "chat": "qwen"}


def stance(category, side, literal=False):
    return re.search("you hold a strong (.*?)[.] In", system_prompt(FIGURE_7, TABLE_7[category], side, literal))[1]


@pytest.mark.parametrize("category", TOPICS)
@pytest.mark.parametrize("literal", [False, True])
def test_the_two_sides_of_a_category_differ(category, literal):
    assert TABLE_7[category].support != TABLE_7[category].oppose
    assert stance(category, "support", literal) != stance(category, "oppose", literal)


@pytest.mark.parametrize("category", TOPICS)
@pytest.mark.parametrize("side", SIDES)
def test_no_system_prompt_says_its_stance_twice(category, side):
    assert not re.search(r"(support|opposition) for (support|oppose)", stance(category, side))
    assert re.search(r"(support|opposition) for (support|oppose)", stance(category, side, literal=True))


def test_every_category_of_the_paper_has_its_values():
    assert list(TABLE_7) == list(TOPICS)


def test_a_value_text_says_its_stance_itself():
    assert stance("Climate Change Opinions", "oppose") == "opposition for climate change action"
    assert stance("Family and Relationship Values", "oppose").startswith(
        "support for traditional family structures and opposition to"
    )
    democracy = "opposition for democracy and support for authoritarian governance"
    assert stance("Election and Political Discussions", "oppose") == democracy
    assert stance("Discussions on Abortion", "oppose", literal=True) == "opposition for oppose abortion"


def test_a_text_without_a_stance_takes_that_of_its_side():
    texts = ValueTexts(support="gun control", oppose="gun {control}")
    assert system_prompt("{stance} for {value} {other}", texts, "support") == "support for gun control {other}"
    assert system_prompt("{stance} for {value}", texts, "oppose") == "opposition for gun {control}"


def test_sides_that_would_read_the_same_are_refused():
    same = {"Climate": {"support": "support climate change action", "oppose": "support climate change action"}}
    with pytest.raises(ValidationError, match="both sides of `Climate` get the same system prompt"):
        SyntheticConfig(**CONFIG, values=same)
    with pytest.raises(ValidationError, match=r"`system` must contain \{stance\} and \{value\}"):
        SyntheticConfig(**CONFIG, system="You are a helpful assistant.")
