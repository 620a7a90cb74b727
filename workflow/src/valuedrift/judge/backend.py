"""What a judge is: it takes questions, responses and topics and returns probabilities, or says why it cannot."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from valuedrift.config.judging import JudgeJob
from valuedrift.errors import UserError


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


PART = 10_000
"""Prompts that a model in this process is given at once: at 430 tokens they take 0.6 GB."""


class Judge(Protocol):
    """Judges many responses in one call; a string in place of a verdict is the reason why there is none."""

    def __call__(self, items: list[Item]) -> list[Verdict | str]: ...


class Reader(Protocol):
    """A model that answers prompts by option letter; a string in place of a reading is the reason why there is none."""

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]: ...


def make_judge(job: JudgeJob, ledger: Path) -> Judge:
    """The configured judge; what a paid one answers stays in `ledger`."""
    if job.judge.backend == "function":
        return FunctionJudge(str(job.judge.function))
    from valuedrift.judge.prompted import PromptedJudge

    return PromptedJudge(_reader(job, ledger), job.judge)


def _reader(job: JudgeJob, ledger: Path) -> Reader:
    if job.judge.backend == "openai":
        from valuedrift.judge.api import ApiReader

        assert job.chat
        return ApiReader(job.judge, job.chat, ledger)
    if job.judge.backend == "vllm":
        from valuedrift.judge.vllm_reader import VllmReader

        return _in_parts(VllmReader(job.judge))
    from valuedrift.judge.local import LocalReader

    return _in_parts(LocalReader(job.judge))


def _in_parts(reader: Reader) -> Reader:
    """The reader, for so many prompts at a time that their tokens do not fill the memory."""
    return lambda prompts: [reading for start in range(0, len(prompts), PART) for reading in reader(prompts[start : start + PART])]


class FunctionJudge:
    """A Python function of the user's own: (question, response, topic) → three probabilities, or a reason why there are none."""

    def __init__(self, name: str) -> None:
        module, _, attribute = name.partition(":")
        try:
            self.function: Callable[[str, str, str], Any] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"the judge's function `{name}` cannot be imported: {error}; write it as `module:name`") from error
        if not callable(self.function):
            raise UserError(f"the judge's `{name}` is no function: write `function` as `module:name` of one")

    def __call__(self, items: list[Item]) -> list[Verdict | str]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict | str:
        given = self.function(item.question, item.response, item.topic)
        if isinstance(given, str):
            return given
        try:
            support, neutral, oppose = map(float, given)
        except (TypeError, ValueError):
            support = neutral = oppose = math.nan
        total = support + neutral + oppose
        if not 0.999 < total < 1.001 or min(support, neutral, oppose) < 0:
            raise UserError(
                f"the judge's function returned {given!r}: neither three probabilities that sum to 1, of support, neutral and "
                "oppose, nor a reason, as text, why there are none"
            )
        return Verdict(support / total, neutral / total, oppose / total, mass=1.0)
