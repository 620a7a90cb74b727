"""Embeds the questions as unit vectors."""

from pathlib import Path

from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.io.tables import EMBEDDINGS, QUESTIONS
from valuedrift.lm.embedding import column, encode


def run(*, config: EmbeddingConfig, questions: Path, output: Path) -> None:
    """Embed each question."""
    frame = QUESTIONS.read(questions)
    EMBEDDINGS.write(frame.with_columns(column(encode(frame["question"].to_list(), config))), output)
