"""What a judge is: it takes questions, responses and topics and returns probabilities, or says why it cannot."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

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


class Judge(Protocol):
    """Judges many responses in one call; a string in place of a verdict is the reason why there is none."""

    def __call__(self, items: list[Item]) -> list[Verdict | str]: ...


class Reader(Protocol):
    """A model that answers prompts by option letter; a string in place of a reading is the reason why there is none."""

    def __call__(self, prompts: list[str]) -> list[Reading | str]: ...


def make_judge(job: JudgeJob, ledger: Path) -> Judge:
    """The configured judge; what a paid one answers stays in `ledger`."""
    if job.judge.backend == "function":
        return FunctionJudge(str(job.judge.function))
    from valuedrift.judge_prompted import PromptedJudge

    return PromptedJudge(_reader(job, ledger), job.judge)


def _reader(job: JudgeJob, ledger: Path) -> Reader:
    if job.judge.backend == "openai":
        from valuedrift.judge.api import ApiReader

        assert job.chat
        return ApiReader(job.judge, job.chat, ledger)
    if job.judge.backend == "vllm":
        from valuedrift.judge.vllm_reader import VllmReader

        return VllmReader(job.judge)
    from valuedrift.judge.local import LocalReader

    return LocalReader(job.judge)


class FunctionJudge:
    """A Python function of the user's own: (question, response, topic) → three probabilities, or a reason why there are none."""

    def __init__(self, name: str) -> None:
        module, _, attribute = name.partition(":")
        try:
            self.function: Callable[[str, str, str], tuple[float, float, float] | str] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UserError(f"the judge's function `{name}` cannot be imported: {error}; write it as `module:name`") from error

    def __call__(self, items: list[Item]) -> list[Verdict | str]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict | str:
        given = self.function(item.question, item.response, item.topic)
        if isinstance(given, str):
            return given
        total = sum(given)
        if len(given) != 3 or not 0.999 < total < 1.001 or min(given) < 0:
            raise UserError(f"the judge's function returned {given!r}, which are no three probabilities that sum to 1")
        return Verdict(given[0] / total, given[1] / total, given[2] / total, mass=1.0)
