"""Gives each cluster a readable name, and the terms by which a config refers to it."""

from pathlib import Path

import polars as pl

from valuedrift.config.prompts import NamesJob
from valuedrift.io.tables import NAMES, NGRAMS
from valuedrift.prompts import llm

NAME_NGRAMS = 3
"""N-grams in a name."""


def run(*, config: NamesJob, ngrams: Path, output: Path) -> None:
    """Write each cluster's name and its terms, which stay the same when a chat model's name changes.

    A chat model's answers are kept in a ledger next to `output`.
    """
    frame = NGRAMS.read(ngrams)
    by_rule = names(frame)
    given = by_rule
    if config.method == "llm":
        given = llm.name(frame, config, output.with_suffix(".ledger.sqlite"), by_rule)
    rows = [{"cluster": number, "name": given[number], "terms": terms} for number, terms in by_rule.items()]
    NAMES.write(NAMES.frame(rows), output)


def names(frame: pl.DataFrame) -> dict[int, str]:
    """Return cluster → its name by rule, from rows of NGRAMS.

    A name consists of the top n-grams that do not contain each other. Clusters that would share a name take further n-grams until
    they differ; clusters with the same n-grams get a number at the end. Names never depend on the clusters' numbers.
    """
    groups = frame.sort("cluster", "rank").group_by("cluster", maintain_order=True).agg("ngram", "weight")
    distinct = {row["cluster"]: _distinct(row["ngram"]) for row in groups.iter_rows(named=True)}
    weight = {row["cluster"]: row["weight"] for row in groups.iter_rows(named=True)}
    chosen = {number: terms[:NAME_NGRAMS] for number, terms in distinct.items()}
    for length in range(NAME_NGRAMS + 1, max(map(len, distinct.values()), default=0) + 1):
        shared = _shared(chosen)
        chosen |= {number: distinct[number][:length] for number in shared}
    named = {number: " / ".join(terms) for number, terms in chosen.items()}
    for number in _shared(chosen):
        alike = sorted((n for n in chosen if chosen[n] == chosen[number]), key=lambda n: (weight[n], n), reverse=True)
        if position := alike.index(number):
            named[number] = f"{' / '.join(chosen[number])} ({position + 1})"
    return named


def _shared(chosen: dict[int, list[str]]) -> list[int]:
    """Return the clusters that share their chosen n-grams with another cluster."""
    given = list(chosen.values())
    return [number for number, terms in chosen.items() if given.count(terms) > 1]


def _distinct(terms: list[str]) -> list[str]:
    """Return the n-grams in order, without those that contain or are contained in an earlier one."""
    kept: list[str] = []
    for term in terms:
        if not any(_contains(term, other) or _contains(other, term) for other in kept):
            kept.append(term)
    return kept


def _contains(longer: str, shorter: str) -> bool:
    """Return True if one n-gram's words occur in another; forms such as immigrant, immigrants count as one word."""
    words, part = longer.split(), shorter.split()
    starts = range(len(words) - len(part) + 1)
    return any(all(_same(a, b) for a, b in zip(words[start:], part, strict=False)) for start in starts)


def _same(one: str, other: str) -> bool:
    shorter, longer = sorted((one.rstrip("s"), other.rstrip("s")), key=len)
    return one == other or (len(shorter) >= 3 and longer.startswith(shorter))
