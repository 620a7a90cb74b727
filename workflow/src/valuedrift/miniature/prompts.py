"""Writes raw prompts of PRISM's kinds: questions, statements to rephrase, and factual and off-topic ones to reject."""

from pathlib import Path
from random import Random

import polars as pl

from valuedrift.config.miniature import MiniatureConfig
from valuedrift.io.files import replacing
from valuedrift.miniature import grammar
from valuedrift.miniature.vocabulary import ASPECTS, FACTUAL, OFF_TOPIC


def run(*, config: MiniatureConfig, output: Path, labels: Path) -> None:
    """Write the raw prompts (CSV: id, user_prompt) and, in a separate file, their labels (Parquet: id, theme, kind)."""
    rows = raw_prompts(config)
    with replacing(output) as scratch:
        rows.select("id", "user_prompt").write_csv(scratch)
    with replacing(labels) as scratch:
        rows.select("id", "theme", "kind").write_parquet(scratch)


def raw_prompts(config: MiniatureConfig) -> pl.DataFrame:
    """Return distinct prompts in random order: id, user_prompt, theme (category or off-topic), kind (value, factual, other)."""
    rng = Random(f"{config.seed}-prompts")
    drawn: dict[str, tuple[str, str]] = {}
    for category, aspects in ASPECTS.items():
        wanted = len(drawn) + config.questions
        while len(drawn) < wanted:
            text = grammar.statement(category, rng) if rng.random() < 0.4 else grammar.ask(category, rng).text
            drawn.setdefault(text, (category, "value"))
        factual = [form.format(aspect) for form in FACTUAL for aspect in aspects]
        drawn |= dict.fromkeys(rng.sample(factual, max(1, config.questions // 4)), (category, "factual"))
    for theme, (forms, things) in OFF_TOPIC.items():
        drawn |= {form.format(thing): (theme, "other") for form in forms for thing in things}
    texts = sorted(drawn)
    rng.shuffle(texts)
    return pl.DataFrame(
        [(f"raw-{i:04}", text, *drawn[text]) for i, text in enumerate(texts)],
        schema=["id", "user_prompt", "theme", "kind"],
        orient="row",
    )
