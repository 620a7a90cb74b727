"""The grammar's exact parser as a judge: the true stances of answers, for tests and for the report."""

from valuedrift.config.base import STANCES
from valuedrift.miniature.grammar import category_of, parse


def judge(question: str, response: str, topic: str) -> tuple[float, float, float] | str:
    """Return the probabilities (0 or 1) of support, neutral and oppose, or the reason why the answer has no stance on the topic."""
    parsed = parse(response)
    if parsed is None:
        return "malformed: not a sentence of the grammar"
    category, stance = parsed
    if category != category_of(topic):
        return "malformed: off topic"
    support, neutral, oppose = (float(stance == s) for s in STANCES)
    return support, neutral, oppose
