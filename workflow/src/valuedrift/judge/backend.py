"""What a judge is: it takes questions, responses and topics and returns probabilities, or says why it cannot."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Item:
    """One response to be judged."""

    question: str
    response: str
    topic: str


@dataclass(frozen=True)
class Verdict:
    """Probabilities of support, neutral and oppose, which sum to 1, and what they were made of.

    `mass` is the probability on the three before normalising; `bound` the most of it that options may have which the judge did not
    return, 0 where it returned all; `flips` the share of the orders of the options whose answer is not that of the average, None
    where they were asked in one order.
    """

    support: float
    neutral: float
    oppose: float
    mass: float
    bound: float = 0.0
    flips: float | None = None


@dataclass(frozen=True)
class Reading:
    """Probabilities of the letters A, B and C as the first word of an answer, as they came: they need not sum to 1.

    One that the judge did not return is put at the most that it may be; `bound` is the sum of those.
    """

    letters: tuple[float, float, float]
    bound: float = 0.0


@dataclass(frozen=True)
class Prompt:
    """What a reader is asked, and the words that the letters stand for in it (`options.words_of`)."""

    text: str
    words: tuple[str, ...] = ()


class Judge(Protocol):
    """Judges many responses in one call; a string in place of a verdict is the reason why there is none."""

    def __call__(self, items: list[Item]) -> list[Verdict | str]: ...


class Reader(Protocol):
    """A model that answers prompts by option letter; a string in place of a reading is the reason why there is none."""

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]: ...
