"""Value-laden questions, told from factual ones within the study's categories."""

from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.frames import CATEGORIES, CLUSTERS, QUESTIONS, VALUE_LADEN
from valuedrift.prompts.opinion import Verdict, judge


def run(*, config: str, questions: Path, clusters: Path, categories: Path, output: Path) -> None:
    """Write whether each question of a category is kept, and why; config is the method: rules or none."""
    belongs = CATEGORIES.read(categories).filter(pl.col("category").is_not_null()).select("cluster", "category")
    frame = QUESTIONS.read(questions).join(CLUSTERS.read(clusters), on="source_id", maintain_order="left")
    frame = frame.join(belongs, on="cluster", maintain_order="left")
    verdicts = [verdict(question, config) for question in frame["question"]]
    frame = frame.with_columns(
        pl.Series("keep", [keep for keep, _ in verdicts], dtype=pl.Boolean),
        pl.Series("reason", [reason for _, reason in verdicts], dtype=pl.String),
    )
    print(f"{frame['keep'].sum()} of {frame.height} questions are value-laden")
    VALUE_LADEN.write(frame, output)


def verdict(question: str, method: str) -> Verdict:
    """Whether the question is kept, and why; raises UserError for a method that there is not."""
    match method:
        case "rules":
            return judge(question)
        case "none":
            return Verdict(True, "not filtered")
    raise UserError(f"config: `prompts.filter`: there is no method `{method}`; there are rules, none")
