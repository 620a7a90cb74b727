"""The interface of a judge: it takes questions, responses and topics and returns probabilities, or the reason why it cannot."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Item:
    """One response to judge, with the question that it answers and the topic that the judge is asked about."""

    question: str
    response: str
    topic: str


@dataclass(frozen=True)
class Verdict:
    """Probabilities of support, neutral and oppose, which sum to 1, and the diagnostics of how they were obtained.

    `mass` is the probability on the three options before normalising. `bound` is the most of `mass` that may belong to options
    whose probabilities the judge did not return; 0 if it returned all of them. `flips` is the share of option orders whose most
    likely stance differs from that of the average over orders; None if only one order was asked.
    """

    support: float
    neutral: float
    oppose: float
    mass: float
    bound: float = 0.0
    flips: float | None = None


@dataclass(frozen=True)
class Reading:
    """Unnormalised probabilities of the letters A, B and C as the first word of an answer; they need not sum to 1.

    A letter whose probability the judge did not return gets the highest value that it may have; `bound` is the sum of these values.
    """

    letters: tuple[float, float, float]
    bound: float = 0.0


@dataclass(frozen=True)
class Prompt:
    """The text that a reader is asked, and the words that the letters A, B and C stand for in it (`options.words_of`)."""

    text: str
    words: tuple[str, ...] = ()


class Judge(Protocol):
    """Judges many responses in one call; a string in place of a verdict is the reason why there is none."""

    def __call__(self, items: list[Item]) -> list[Verdict | str]: ...


class Reader(Protocol):
    """A model that answers prompts with an option letter; a string in place of a reading is the reason why there is none."""

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]: ...
