"""The steps for which the paper asks GPT-4o: rephrasing prompts as questions, naming clusters, keeping value-laden questions."""

import re
from collections import Counter
from pathlib import Path

import polars as pl

from valuedrift.chat.client import ask
from valuedrift.chat.messages import Reply, Request
from valuedrift.config.prompts import ChatStep


def rephrase(texts: list[str], config: ChatStep, ledger: Path) -> list[str]:
    """Return the chat model's question for each text, or the text itself if the model returns none."""
    return [_unquoted(reply.text) or text for text, reply in zip(texts, _ask("Prompt", texts, config, ledger), strict=True)]


def name(ngrams: pl.DataFrame, config: ChatStep, ledger: Path, by_rule: dict[int, str]) -> dict[int, str]:
    """Return cluster → the chat model's name.

    The unique names in `by_rule` are appended where the model gives several clusters the same name, and used where it gives none.
    """
    groups = ngrams.sort("cluster", "rank").group_by("cluster", maintain_order=True).agg("ngram")
    replies = _ask("N-grams", [", ".join(terms) for terms in groups["ngram"]], config, ledger)
    given = {cluster: " ".join(_unquoted(reply.text).split()) for cluster, reply in zip(groups["cluster"], replies, strict=True)}
    uses = Counter(name.casefold() for name in given.values())
    return {
        cluster: by_rule[cluster] if not name else name if uses[name.casefold()] == 1 else f"{name} ({by_rule[cluster]})"
        for cluster, name in given.items()
    }


def filter_value_laden(questions: list[str], config: ChatStep, ledger: Path) -> list[tuple[bool, str]]:
    """Return for each question whether it is kept, which is where the model says Yes, and the reason."""
    return [_verdict(reply) for reply in _ask("Question", questions, config, ledger)]


def _ask(kind: str, texts: list[str], config: ChatStep, ledger: Path) -> list[Reply]:
    """Return the reply to each text, and print how many texts got no answer and why."""
    assert config.chat
    replies = ask([Request(f"{config.instruction}\n\n{kind}: {text}") for text in texts], config.chat, ledger)
    for problem, count in sorted(Counter(reply.problem for reply in replies if reply.problem).items()):
        print(f"{count} of {len(replies)} texts without an answer: {problem}")
    return replies


def _verdict(reply: Reply) -> tuple[bool, str]:
    if reply.text is None:
        return False, f"llm: {reply.problem}"
    if said := re.match(r"\W*(yes|no)\b", reply.text, re.IGNORECASE):
        return said[1].lower() == "yes", f"llm: {said[1].lower()}"
    return False, f"llm: neither Yes nor No: {' '.join(reply.text.split())[:40]}"


def _unquoted(text: str | None) -> str:
    """Return the text without quotation marks that enclose all of it."""
    text = (text or "").strip()
    quoted = re.fullmatch(r'["“]([^"“”]*)["”]', text, re.DOTALL)
    return quoted[1].strip() if quoted else text
