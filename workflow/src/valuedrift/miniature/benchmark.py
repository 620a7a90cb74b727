"""Writes a multiple-choice benchmark: a question and four answers of one stance, one of which is on the question's subject."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from valuedrift.config.base import STANCES
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.miniature import grammar
from valuedrift.miniature.vocabulary import ASPECTS

PER_CATEGORY = 10  # 110 questions in all: guessing scores 0.25 with a standard error of 0.04


def run(*, config: MiniatureConfig, output: Path) -> None:
    """Write question, choices and answer (the right choice's index) as JSON lines."""
    with replacing(output) as scratch:
        scratch.write_text("".join(f"{json.dumps(row)}\n" for row in questions(config.seed)))


def questions(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the benchmark's rows. The choices have the same stance, so that a model's values do not decide its choice."""
    rng = Random(f"{seed}-benchmark")
    for category in ASPECTS:
        for _ in range(PER_CATEGORY):
            question, stance, right = grammar.ask(category, rng), rng.choice(STANCES), rng.randrange(4)
            others = (grammar.ask(other, rng) for other in rng.sample([c for c in ASPECTS if c != category], 4))
            asked = [question if place == right else other for place, other in enumerate(others)]
            choices = [grammar.answer(about, stance, rng, opener=False, reason=False).text for about in asked]
            yield {"question": question.text, "choices": choices, "answer": right}
