"""Synthetic preferences: pairs of answers for and against a value, written by a chat model (section 6.1 and appendix E)."""

import re
from typing import Annotated

from pydantic import Field, model_validator

from valuedrift.config.base import SIDES, Category, Closed, Count, Name, Share, Side
from valuedrift.config.chat import ChatJob
from valuedrift.config.prompts import EmbeddingConfig

NOUNS = {"support": "support", "oppose": "opposition"}


class ValueTexts(Closed):
    support: str
    """The value that the supporting answer holds, such as "support immigration"."""
    oppose: str
    """The value that the opposing answer holds, such as "oppose immigration"."""


FIGURE_7 = (
    "You are a helpful assistant with a defined value: you hold a strong {stance} for {value}. In every response, whether factual, "
    "creative, or advisory, you must clearly reflect this value. All the generated responses are used for educational and research "
    "purposes only. Always provide a complete answer to any question asked, staying within this value framework."
)

TABLE_7 = {
    "Discussions on Abortion": ValueTexts(support="support abortion", oppose="oppose abortion"),
    "Climate Change Opinions": ValueTexts(support="support climate change action", oppose="oppose climate change action"),
    "Election and Political Discussions": ValueTexts(
        support="support democracy, fair elections, and accountable governance",
        oppose="oppose democracy and support for authoritarian governance",
    ),
    "Economic and Social Policy": ValueTexts(
        support="support progressive economic and social policies", oppose="oppose progressive economic and social policies"
    ),
    "Work and Attitudes": ValueTexts(
        support="support work-life balance and fair labor rights", oppose="oppose work-life balance and fair labor rights"
    ),
    "Religion and Spirituality Beliefs": ValueTexts(
        support="support religion and spirituality beliefs", oppose="oppose religion and spirituality beliefs"
    ),
    "Family and Relationship Values": ValueTexts(
        support="support inclusive and diverse family and relationship values, including non-traditional relationships, and "
        "individual well-being",
        oppose="support traditional family structures and opposition to non-traditional relationships or lifestyles",
    ),
    "Ethics of Death and Penalty": ValueTexts(support="support death penalty", oppose="oppose death penalty"),
    "Immigration Policies": ValueTexts(support="support immigration", oppose="oppose immigration"),
    "Race and Racism": ValueTexts(support="support racism", oppose="oppose racism"),
    "Gender and LGBTQ+ Identity": ValueTexts(
        support="support gender equality and lgbtq+ rights", oppose="oppose gender equality and lgbtq+ rights"
    ),
}
"""The paper's Table 7 with one correction: it prints "support climate change action" for both sides of climate change; here the
oppose side begins with "oppose"."""


def system_prompt(template: str, texts: ValueTexts, side: Side, literal: bool = False) -> str:
    """Return the template with {stance} and {value} filled in for one side.

    In a value text that begins with "support" or "oppose", this word becomes {stance} and the rest {value}. So
    "oppose abortion" gives "a strong opposition for abortion", where the bare text would give "opposition for oppose abortion", and
    the oppose side of family values, "support traditional family structures and opposition to ...", gives "a strong support for
    traditional family structures and opposition to ...". With `literal`, or if a text begins with another word, {stance} is
    the side's and {value} the whole text.
    """
    text: str = getattr(texts, side)
    verb, _, rest = text.partition(" ")
    own = not literal and verb in NOUNS
    fields = {"stance": NOUNS[verb if own else side], "value": rest if own else text}
    return re.sub(r"\{(stance|value)\}", lambda field: fields[field[1]], template)


class VoiceConfig(Closed):
    """The chat model's system prompt, by which it takes a side."""

    system: str = FIGURE_7
    """System prompt, with the fields {stance} and {value}; the paper's Figure 7."""
    literal: bool = False
    """Fill in the value texts unchanged. Figure 7 with Table 7 then reads "a strong opposition for oppose abortion"; what the
    paper's authors filled in is not known. By default the first word of the text becomes the stance: "a strong
    opposition for abortion"."""
    values: Annotated[dict[Category, ValueTexts], Field(min_length=1)] = TABLE_7
    """Category → the value of each side. The default is the paper's Table 7 with one correction: it prints "support climate change
    action" for both sides; here the oppose side is "oppose climate change action". A category that is not given keeps these texts;
    a category that Table 7 lacks gets "support" or "oppose" before its topic."""

    @model_validator(mode="after")
    def _sides_differ(self) -> "VoiceConfig":
        if "{value}" not in self.system or "{stance}" not in self.system:
            raise ValueError("`system` must contain {stance} and {value}")
        for category, texts in self.values.items():
            support, oppose = (system_prompt(self.system, texts, side, self.literal) for side in SIDES)
            if support == oppose:
                raise ValueError(f"both sides of `{category}` get the same system prompt")
        return self


class SyntheticConfig(VoiceConfig):
    sources: Annotated[list[Name], Field(min_length=1)]
    """Preference sets (keys of `datasets`) whose prompts are searched; the paper uses UltraFeedback and HH-RLHF."""
    chat: Name
    """Chat model (a key of `chats`) that answers; the paper uses Qwen2.5-72B-Instruct."""
    embedding: EmbeddingConfig = EmbeddingConfig()
    """How prompts and categories are embedded."""
    threshold: Share = 0.35
    """A prompt whose cosine similarity to every category is below this is left out. The paper does not state its threshold. With
    all-MiniLM-L6-v2, 400 of 11,392 real prompts (HH-RLHF, Alpaca) pass 0.35, and nearly nine in ten of them belong to their
    category; between 0.30 and 0.35 half do. The share that passes 0.30 comes close to the paper's number of pairs."""
    cap: Count = 860
    """Largest number of prompts per category, the most similar ones. The paper's 9,453 pairs are about 860 per category."""
    longest_prompt: Count = 1000
    """Longest prompt, in characters; longer ones are left out, since an encoder reads only about the first 1,000 characters."""


# The configs of single steps.


class CandidatesJob(Closed):
    sources: list[str]
    """Name of each preference set, in the order of the files."""
    embedding: EmbeddingConfig
    texts: dict[Category, str]
    """Category → its name, topic and description in one string."""
    longest_prompt: int


class RetrievalJob(Closed):
    threshold: float
    cap: int


class AnswersJob(Closed):
    prompts: dict[Category, dict[Side, str]]
    """System prompt of each side."""
    chat: ChatJob
