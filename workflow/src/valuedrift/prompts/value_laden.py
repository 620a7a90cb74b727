"""Separates value-laden questions from factual ones, within the study's categories."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from valuedrift.config.prompts import ValueLadenJob
from valuedrift.io.owner import owned
from valuedrift.io.tables import CATEGORIES, CLUSTERS, QUESTIONS, VALUE_LADEN
from valuedrift.prompts import llm
from valuedrift.prompts.value_laden_rules import Verdict, classify


def run(*, config: ValueLadenJob, questions: Path, clusters: Path, categories: Path, output: Path) -> None:
    """Write for each question of a category whether it is kept and why; a chat model's answers go to a ledger next to `output`."""
    belongs = CATEGORIES.read(categories).filter(pl.col("category").is_not_null()).select("cluster", "category")
    frame = QUESTIONS.read(questions).join(CLUSTERS.read(clusters), on="source_id", maintain_order="left")
    frame = frame.join(belongs, on="cluster", maintain_order="left")
    with owned(output) as owner:
        verdicts = _verdicts(frame["question"].to_list(), config, output)
        frame = frame.with_columns(
            pl.Series("keep", [keep for keep, _ in verdicts], dtype=pl.Boolean),
            pl.Series("reason", [reason for _, reason in verdicts], dtype=pl.String),
        )
        print(f"{frame['keep'].sum()} of {frame.height} questions are value-laden")
        owner.ensure()
        VALUE_LADEN.write(frame, output)


def _verdicts(questions: list[str], config: ValueLadenJob, output: Path) -> Sequence[tuple[bool, str]]:
    match config.method:
        case "rules":
            return [classify(question) for question in questions]
        case "none":
            return [Verdict(True, "not filtered")] * len(questions)
        case "llm":
            return llm.filter_value_laden(questions, config, output.with_suffix(".ledger.sqlite"))
