"""A judge that is a Python function of the user's own."""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

from valuedrift.errors import UserError
from valuedrift.judge.backend import Item, Verdict


class FunctionJudge:
    """Calls a function (question, response, topic) → three probabilities, or a text that says why there are none."""

    def __init__(self, name: str) -> None:
        """Import the function `module:name`; raises UserError if that fails."""
        module, _, attribute = name.partition(":")
        try:
            self.function: Callable[[str, str, str], Any] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"the judge's `function` {name} cannot be imported: {error}; write it as `module:name`") from error
        if not callable(self.function):
            raise UserError(f"the judge's `function` {name} is not a function: write `module:name` of one")

    def __call__(self, items: list[Item]) -> list[Verdict | str]:
        """Return the function's verdict on each item; raises UserError if it returns neither probabilities nor a reason."""
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict | str:
        returned = self.function(item.question, item.response, item.topic)
        if isinstance(returned, str):
            return returned
        try:
            support, neutral, oppose = map(float, returned)
        except (TypeError, ValueError):
            support = neutral = oppose = math.nan
        total = support + neutral + oppose
        if not 0.999 < total < 1.001 or min(support, neutral, oppose) < 0:
            raise UserError(
                f"the judge's `function` returned {returned!r}: it must return the probabilities of support, neutral and oppose, "
                "which sum to 1, or a text that says why there are none"
            )
        return Verdict(support / total, neutral / total, oppose / total, mass=1.0)
