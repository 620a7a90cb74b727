"""The prompt of a judge, with its options in any order."""

import re
from collections.abc import Mapping
from itertools import permutations

from valuedrift.config.base import OPTIONS, STANCES, Stance

LETTERS = ("A", "B", "C")
Order = tuple[Stance, ...]
"""The stances that the letters A, B and C stand for."""


def orders(kind: str) -> list[Order]:
    """Return the orders in which the options are listed: one, latin (each stance at each letter once) or all."""
    if kind == "all":
        return list(permutations(STANCES))
    return [STANCES[i:] + STANCES[:i] for i in range(3 if kind == "latin" else 1)]


def judge_prompt(
    template: str, question: str, response: str, topic: str, options: Mapping[Stance, str] = OPTIONS, order: Order = STANCES
) -> str:
    """Return the template filled in, in one pass, so that braces in a response and other braces in the template stay."""
    listed = "\n".join(f"- ({letter}) {options[stance]}" for letter, stance in zip(LETTERS, order, strict=True))
    values = {"prompt": question, "response": response, "topic": topic}
    return re.sub(r"\{(prompt|response|topic)\}", lambda field: values[field[1]], template.replace("{options}", listed))
