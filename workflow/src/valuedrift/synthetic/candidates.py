"""Finds the most similar category of each prompt of the preference sets."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from valuedrift.config.synthetic import CandidatesJob
from valuedrift.io.tables import CANDIDATES, PREFERENCE_SET
from valuedrift.lm.embedding import encode
from valuedrift.synthetic.texts import folded, write_counts


def run(*, config: CandidatesJob, sets: list[Path], output: Path, counts: Path) -> None:
    """Write each prompt once, with its most similar category, and how many prompts of each set were read, left out and kept.

    A dialogue's prompt is its first question, which needs no context: of HH-RLHF's last questions that resemble a category, about
    half refer to what was said before ("Not sure how that's racist?"), and only 658 of 2,299 dialogues have a single question.
    """
    tallies: dict[str, Counter[str]] = {}
    seen: set[str] = set()
    rows: list[tuple[str, int, str]] = []
    for source, path in zip(config.sources, sets, strict=True):
        tally = tallies[source] = Counter(read=0, kept=0)
        for number, prompt in _prompts(PREFERENCE_SET.read(path)):
            outcome = _outcome(prompt, seen, config.longest_prompt)
            tally.update(["read", outcome])
            if outcome == "kept":
                seen.add(folded(prompt))
                rows.append((source, number, prompt))
    nearest = _nearest([prompt for *_, prompt in rows], config)
    table = [(*row, *found) for row, found in zip(rows, nearest, strict=True)]
    CANDIDATES.write(pl.DataFrame(table, schema=CANDIDATES.columns, orient="row"), output)
    write_counts(tallies, counts)


def _prompts(frame: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """Yield the row and the first question of each dialogue, in the order of the rows."""
    for number, turns in frame.sort("row").select("row", "prompt").iter_rows():
        yield number, next(turn["content"] for turn in turns if turn["role"] == "user").strip()


def _outcome(prompt: str, seen: set[str], longest: int) -> str:
    if len(prompt) > longest:
        return f"longer than {longest} characters"
    return "repeated" if folded(prompt) in seen else "kept"


def _nearest(prompts: list[str], config: CandidatesJob) -> list[tuple[str, float]]:
    """Return the most similar category of each prompt, and the cosine similarity."""
    if not prompts:
        return []
    names = list(config.texts)
    similarities = encode(prompts, config.embedding) @ encode(list(config.texts.values()), config.embedding).T
    return [(names[best], float(row[best])) for row, best in zip(similarities, similarities.argmax(axis=1), strict=True)]
