"""Draws the evaluation prompts: the same number from each category, by the seed."""

import hashlib
import re
from pathlib import Path

import polars as pl

from valuedrift.config.prompts import SampleJob
from valuedrift.errors import UserError
from valuedrift.io.tables import PROMPTS, QUESTIONS, VALUE_LADEN
from valuedrift.prompts.english import folded


def run(*, config: SampleJob, questions: Path, value_laden: Path, output: Path) -> None:
    """Write the drawn prompts, in the order of the study's categories; the file's metadata count what each step kept."""
    asked, candidates = QUESTIONS.read(questions), VALUE_LADEN.read(value_laden)
    frame = asked.join(candidates.filter("keep"), on="source_id", maintain_order="left")
    drawn = draw(frame, config)
    kept = {"questions": asked.height, "categorised": candidates.height, "value-laden": frame.height, "drawn": drawn.height}
    PROMPTS.write(drawn, output, {step: str(count) for step, count in kept.items()})


def draw(frame: pl.DataFrame, config: SampleJob) -> pl.DataFrame:
    """Return rows of PROMPTS; `frame` has the columns of QUESTIONS and `category`.

    Each prompt's rank is a hash of the seed and its source_id, so that adding or removing a prompt does not change which of the
    others are drawn first. Raise UserError if a category has fewer distinct questions than `per_category`.
    """
    rank = pl.col("source_id").map_elements(lambda source_id: _digest(f"{config.seed}-{source_id}"), return_dtype=pl.String)
    fold = pl.col("question").map_elements(folded, return_dtype=pl.String)
    ranked = frame.with_columns(rank=rank).sort("rank").unique(["category", fold], keep="first", maintain_order=True)
    drawn = [ranked.filter(pl.col("category") == category).head(config.per_category) for category in config.topics]
    _check_enough(config, dict(zip(config.topics, (part.height for part in drawn), strict=True)))
    prompt_id = pl.struct("category", "source_id").map_elements(lambda row: _prompt_id(**row), return_dtype=pl.String)
    topic = pl.col("category").replace_strict(config.topics, return_dtype=pl.String)
    return pl.concat(drawn).with_columns(prompt_id=prompt_id, topic=topic).select(list(PROMPTS.columns))


def _check_enough(config: SampleJob, drawn: dict[str, int]) -> None:
    if short := [f"`{category}` has {count}" for category, count in drawn.items() if count < config.per_category]:
        raise UserError(
            f"too few value-laden questions, {config.per_category} are needed: {', '.join(short)}. Lower `prompts.per_category` or "
            "`prompts.min_similarity`, name more clusters in the category's `clusters`, or set `prompts.filter: none`"
        )


def _prompt_id(category: str, source_id: str) -> str:
    """Return an id such as discussions-on-abortion-1f0c9a3e, the same in every study that draws this prompt for this category."""
    slug = re.sub(r"[^a-z0-9]+", "-", category.lower()).strip("-")
    return f"{slug}-{_digest(source_id)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
