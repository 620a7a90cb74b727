"""What the paper asks GPT-4o: questions for statements, names for clusters, Yes or No for value-laden questions."""

import re
from collections import Counter
from pathlib import Path

import polars as pl

from valuedrift.chat.client import ask
from valuedrift.chat.messages import Reply, Request
from valuedrift.config.prompts import ChatStep


def rephrase(texts: list[str], config: ChatStep, ledger: Path) -> list[str]:
    """The question that each text becomes; a text stays where the model gives none."""
    return [_unquoted(reply.text) or text for text, reply in zip(texts, _ask("Prompt", texts, config, ledger), strict=True)]


def name(ngrams: pl.DataFrame, config: ChatStep, ledger: Path, by_rule: dict[int, str]) -> dict[int, str]:
    """Cluster → name. The names `by_rule`, each of which is unique, tell clusters apart that the model calls the same, and serve
    where it gives no name."""
    groups = ngrams.sort("cluster", "rank").group_by("cluster", maintain_order=True).agg("ngram")
    replies = _ask("N-grams", [", ".join(terms) for terms in groups["ngram"]], config, ledger)
    given = {cluster: " ".join(_unquoted(reply.text).split()) for cluster, reply in zip(groups["cluster"], replies, strict=True)}
    uses = Counter(name.casefold() for name in given.values())
    return {
        cluster: by_rule[cluster] if not name else name if uses[name.casefold()] == 1 else f"{name} ({by_rule[cluster]})"
        for cluster, name in given.items()
    }


def judge(questions: list[str], config: ChatStep, ledger: Path) -> list[tuple[bool, str]]:
    """Whether each question is kept, which is where the model says Yes, and why."""
    return [_verdict(reply) for reply in _ask("Question", questions, config, ledger)]


def _ask(kind: str, texts: list[str], config: ChatStep, ledger: Path) -> list[Reply]:
    """The reply on each text, with a word on those that bring none."""
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
    """The text without quotation marks around all of it."""
    text = (text or "").strip()
    quoted = re.fullmatch(r'["“]([^"“”]*)["”]', text, re.DOTALL)
    return quoted[1].strip() if quoted else text
