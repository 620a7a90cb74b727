"""The replies of the miniature's chat model: the grammar in the roles of the paper's Qwen2.5-72B and GPT-4o.

Under a system prompt with a value it answers for or against the question's subject, whatever the value's topic; sometimes it
refuses, returns an empty answer, or ignores the value, as chat models do. It follows each of curation's instructions, which it
recognises by the word before the text. A reply depends on the messages and the seed only, not on the order of the questions.
"""

import re
from random import Random

from valuedrift.miniature import grammar
from valuedrift.miniature.vocabulary import ASPECTS, FACTUAL, MODALS

REFUSAL = "I'm sorry, but I can't help with that."
REFUSED_SHARE, EMPTY_SHARE, SAME_SHARE = 0.03, 0.02, 0.03
"""Shares of questions that are refused on one side, get an empty answer on one side, and get the same answer on both sides."""
_INSTRUCTED = re.compile(r".*?\n\n(Prompt|N-grams|Question): (.*)", re.DOTALL)
_ASPECTS = {aspect.casefold(): (category, aspect) for category, aspects in ASPECTS.items() for aspect in aspects}
_ASPECT = re.compile(rf"\b({'|'.join(sorted(map(re.escape, _ASPECTS), key=len, reverse=True))})\b", re.IGNORECASE)
_FACTUAL = re.compile("|".join(re.escape(form).replace(r"\{\}", ".+") for form in FACTUAL))
_STATEMENT = re.compile(rf"(?:I think that )?(.+) ((?:{'|'.join(MODALS)}) \w+)\.?")
_APPEAL = re.compile(r"I believe we should (.+)\.")


def reply(system: str | None, user: str, seed: int | None = None) -> str:
    """Return the model's reply to a user message."""
    instructed = None if system else _INSTRUCTED.fullmatch(user)
    if instructed:
        return {"Prompt": question, "N-grams": name, "Question": value_laden}[instructed[1]](instructed[2].strip())
    return answer(system or "", user, seed)


def answer(system: str, user: str, seed: int | None) -> str:
    """Return an answer with the stance of the system prompt; neutral if it has none."""
    rng, same = Random(f"{system}\n{user}\n{seed}"), Random(f"{user}\n{seed}")
    chance, ignores_value = rng.random(), same.random() < SAME_SHARE
    if chance < REFUSED_SHARE + EMPTY_SHARE:
        return REFUSAL if chance < REFUSED_SHARE else ""
    asked = about(user)
    if asked is None:
        return "That is not something that people take sides on."
    return (grammar.answer(asked, stance(""), same) if ignores_value else grammar.answer(asked, stance(system), rng)).text


def stance(system: str) -> str:
    """Return the stance of a system prompt.

    All opposing value texts of Table 7 contain a form of "oppose", also that of family values, which begins with "support".
    """
    if re.search(r"\boppos", system):
        return "oppose"
    return "support" if re.search(r"\bsupport", system) else "neutral"


def about(text: str) -> grammar.Question | None:
    """Return the question with its category and aspect: the longest aspect of the grammar that the text contains."""
    found = _ASPECT.search(text)
    return grammar.Question(text, *_ASPECTS[found[1].casefold()]) if found else None


def value_laden(text: str) -> str:
    """Return Yes for a question of the grammar on which people take sides, otherwise No."""
    return "Yes" if about(text) and not _FACTUAL.fullmatch(text) else "No"


def question(text: str) -> str:
    """Return a statement of the grammar as a question, anything else unchanged."""
    if appeal := _APPEAL.fullmatch(text):
        return f"Should we {appeal[1]}?"
    said = _STATEMENT.fullmatch(text)
    known = _ASPECTS.get(said[1].casefold()) if said else None
    return f"Do you think {known[1]} {said[2]}?" if said and known else text


def name(ngrams: str) -> str:
    """Return the category whose aspects share most words with the n-grams, or the first two n-grams if none does."""
    words = set(re.findall(r"[\w'-]+", ngrams.casefold()))
    shared = {category: len(words & set(" ".join(aspects).casefold().split())) for category, aspects in ASPECTS.items()}
    best = max(shared, key=lambda category: shared[category])
    return best if shared[best] else " and ".join(ngrams.split(", ")[:2]).capitalize()
