"""Writes datasets in the schemas of the real ones, drawn with the planted shares."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from valuedrift.config.base import STANCES
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.miniature import grammar
from valuedrift.miniature.shares import planted_shares
from valuedrift.miniature.vocabulary import ASPECTS

Row = dict[str, Any]


def run(*, config: MiniatureConfig, name: str, output: Path) -> None:
    """Write wildchat, alpaca, ultrafeedback or synthetic as JSON lines."""
    if name not in DATASETS:
        raise UserError(f"the miniature does not have the dataset `{name}`; choose one of {', '.join(DATASETS)}")
    with replacing(output) as scratch:
        scratch.write_text("".join(f"{json.dumps(row)}\n" for row in DATASETS[name](config)))


def dialogues(corpus: str, rows: int, config: MiniatureConfig) -> Iterator[tuple[str, grammar.Answer]]:
    """Yield questions with answers whose stances follow the corpus's planted shares; categories are equally likely."""
    rng = Random(f"{config.seed}-{corpus}")
    shares = planted_shares(corpus, config.seed, config.sharpness)
    for _ in range(rows):
        category = rng.choice(tuple(ASPECTS))
        stance = rng.choices(STANCES, shares[category])[0]
        question = grammar.ask(category, rng)
        yield question.text, grammar.answer(question, stance, rng)


def _wildchat(config: MiniatureConfig) -> Iterator[Row]:
    for number, (question, answer) in enumerate(dialogues("wildchat", config.sft_rows, config)):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer.text}]
        yield {"conversation_hash": f"{number:08x}", "model": "miniature", "language": "English", "turn": 1, "conversation": turns}


def _alpaca(config: MiniatureConfig) -> Iterator[Row]:
    for question, answer in dialogues("alpaca", config.sft_rows, config):
        yield {"instruction": question, "input": "", "output": answer.text}


def _ultrafeedback(config: MiniatureConfig) -> Iterator[Row]:
    """Yield pairs without a value gap and without a gap in length: both answers have the same stance and the same parts.

    In 7 of 10 pairs, the preferred answer opens with "In my view,". Without matched lengths, DPO learned to hedge; without the
    noise in the preference, half of its answers became malformed.
    """
    rng = Random(f"{config.seed}-ultrafeedback")
    for _ in range(config.preference_rows):
        category = rng.choice(tuple(ASPECTS))
        question, stance, reason = grammar.ask(category, rng), rng.choice(STANCES), rng.random() < 0.5
        plain = [grammar.answer(question, stance, rng, opener=False, reason=reason).text for _ in range(2)]
        openers = ("In my view,", "To be honest,") if rng.random() < 0.7 else ("To be honest,", "In my view,")
        texts = [f"{opener} {text[0].lower()}{text[1:]}" for opener, text in zip(openers, plain, strict=True)]
        chosen, rejected = ([{"role": "user", "content": question.text}, {"role": "assistant", "content": t}] for t in texts)
        yield {"source": "miniature", "prompt": question.text, "chosen": chosen, "chosen-rating": 5.0, "rejected": rejected,
               "rejected-rating": 2.0}  # fmt: skip


def _synthetic(config: MiniatureConfig) -> Iterator[Row]:
    """Yield prompts with answers of both sides; half of the rows also have a neutral answer, which is then the rejected one.

    Pairs of support and oppose alone hardly move a neutral model.
    """
    rng = Random(f"{config.seed}-synthetic")
    for number in range(config.preference_rows):
        question = grammar.ask(rng.choice(tuple(ASPECTS)), rng)
        answers = {stance: grammar.answer(question, stance, rng).text for stance in STANCES}
        yield {"prompt": question.text, "category": question.category, "support": answers["support"],
               "oppose": answers["oppose"], "neutral": answers["neutral"] if number % 2 else None}  # fmt: skip


DATASETS: dict[str, Callable[[MiniatureConfig], Iterator[Row]]] = {
    "wildchat": _wildchat,
    "alpaca": _alpaca,
    "ultrafeedback": _ultrafeedback,
    "synthetic": _synthetic,
}
