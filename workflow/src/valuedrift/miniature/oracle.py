"""The grammar's exact parser as a judge: what the answers really say, for tests and for the report."""

from valuedrift.miniature.grammar import STANCES, category_of, parse


def judge(question: str, response: str, topic: str) -> tuple[float, float, float] | str:
    """Certain probabilities of support, neutral and oppose, or the reason why the answer has no stance on the topic."""
    parsed = parse(response)
    if parsed is None:
        return "malformed: not a sentence of the grammar"
    category, stance = parsed
    if category != category_of(topic):
        return "malformed: off topic"
    support, neutral, oppose = (float(stance == s) for s in STANCES)
    return support, neutral, oppose
