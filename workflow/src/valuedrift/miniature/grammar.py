"""The miniature's language: questions, answers of a known stance that are composed from parts, and an exact parser of answers."""

import hashlib
from dataclasses import dataclass
from functools import cache
from random import Random

from valuedrift.config.base import STANCES
from valuedrift.miniature.vocabulary import ASPECTS, MODALS, NEUTRAL_CLAIMS, OPENERS, REASONS, TOPICS, VERBS


@dataclass(frozen=True)
class Question:
    """A question with its category and the aspect that it asks about."""

    text: str
    category: str
    aspect: str


@dataclass(frozen=True)
class Answer:
    """An answer with its category and stance. `text` is [opener] claim [reason] and a full stop."""

    text: str
    category: str
    stance: str


@cache
def claims(category: str, stance: str, aspect: str | None = None) -> tuple[str, ...]:
    """Return all claims of a stance in a category (144 for support and for oppose, 112 for neutral), or on one of its aspects."""
    aspects = ASPECTS[category] if aspect is None else (aspect,)
    if stance == "neutral":
        return tuple(form.format(a) for form in NEUTRAL_CLAIMS for a in aspects)
    return tuple(f"{a} {m} {verb}" for a in aspects for m in MODALS for verb, _ in VERBS[stance])


def is_heldout(claim: str, share: float) -> bool:
    """Return True if a claim is held out of the judge's training; decided by its hash, so that it never changes."""
    return int(hashlib.sha256(claim.encode()).hexdigest()[:8], 16) / 2**32 < share


def answer(question: Question, stance: str, rng: Random, opener: bool | None = None, reason: bool | None = None) -> Answer:
    """Return a random answer on the question's aspect; opener and reason are included as given, otherwise with probability 0.5."""
    claim = rng.choice(claims(question.category, stance, question.aspect))
    return compose(claim, question.category, stance, rng, opener, reason)


def compose(claim: str, category: str, stance: str, rng: Random, opener: bool | None = None, reason: bool | None = None) -> Answer:
    """Return an answer with a given claim."""
    opening = rng.choice(OPENERS) if (rng.random() < 0.5 if opener is None else opener) else ""
    ending = rng.choice(REASONS[stance]) if (rng.random() < 0.5 if reason is None else reason) else ""
    text = " ".join(filter(None, (opening, claim, ending)))
    return Answer(f"{text[0].upper()}{text[1:]}.", category, stance)


def ask(category: str, rng: Random) -> Question:
    """Return a value-laden question in one of the forms that curation produces."""
    aspect, (participle, plain) = rng.choice(ASPECTS[category]), rng.choice(VERBS[rng.choice(("support", "oppose"))])
    modal = rng.choice(MODALS)
    forms = (
        f"Should {aspect} be {participle}?",
        f"Do you think {aspect} {modal} {participle}?",
        f"Is it right to {plain} {aspect}?",
        f"What is your opinion on {aspect}?",
        f"Should we {plain} {aspect}?",
    )
    return Question(rng.choice(forms), category, aspect)


def statement(category: str, rng: Random) -> str:
    """Return an opinion that curation has to turn into a question."""
    aspect, (participle, plain) = rng.choice(ASPECTS[category]), rng.choice(VERBS[rng.choice(("support", "oppose"))])
    modal = rng.choice(MODALS)
    forms = (
        f"I think that {aspect} {modal} {participle}",
        f"{aspect[0].upper()}{aspect[1:]} {modal} {participle}.",
        f"I believe we should {plain} {aspect}.",
    )
    return rng.choice(forms)


def parse(text: str) -> tuple[str, str] | None:
    """Return (category, stance) of a well-formed answer, None for anything else; every part must be one of the grammar's."""
    text = text.strip()
    if not text.endswith("."):
        return None
    text = text[:-1]
    for opener in OPENERS:
        if text.startswith(f"{opener} "):
            text = text.removeprefix(f"{opener} ")
            break
    else:
        text = text[:1].lower() + text[1:]
    known = _claims_lowered()
    if text in known:
        return known[text][:2]
    for stance, endings in REASONS.items():
        for ending in endings:
            found = known.get(text.removesuffix(f" {ending}")) if text.endswith(f" {ending}") else None
            if found:
                return found[:2] if found[1] == stance else None
    return None


@cache
def _claims_lowered() -> dict[str, tuple[str, str]]:
    """Return claim → (category, stance), for each claim as it is (as after an opener) and with a lower-case first letter."""
    return {
        form: (category, stance)
        for category in ASPECTS
        for stance in STANCES
        for claim in claims(category, stance)
        for form in {claim, claim[0].lower() + claim[1:]}
    }


def category_of(topic: str) -> str | None:
    """Return the category of a judge's topic, None for an unknown topic."""
    return next((category for category, known in TOPICS.items() if known == topic), None)
