"""What a judge is: it takes questions, responses and topics and returns probabilities, or says why it cannot."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from valuedrift.config.measuring import JudgeConfig
from valuedrift.errors import UserError


@dataclass(frozen=True)
class Item:
    """One response to be judged."""

    question: str
    response: str
    topic: str


@dataclass(frozen=True)
class Verdict:
    """Probabilities of support, neutral and oppose, which sum to 1, and the mass on the three before normalising."""

    support: float
    neutral: float
    oppose: float
    mass: float


class Judge(Protocol):
    """Judges many responses in one call; a string in place of a verdict is the reason why there is none."""

    def __call__(self, items: list[Item]) -> list[Verdict | str]: ...


def make_judge(config: JudgeConfig) -> Judge:
    """The configured judge."""
    if config.backend == "function":
        return FunctionJudge(str(config.function))
    from valuedrift.judge.local import LocalJudge

    return LocalJudge(config)


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
