"""Rephrases raw prompts as questions."""

from pathlib import Path

import polars as pl

from valuedrift.config.prompts import QuestionsJob
from valuedrift.io.owner import owned
from valuedrift.io.tables import QUESTIONS, RAW_PROMPTS
from valuedrift.prompts import llm
from valuedrift.prompts.english import proper_names
from valuedrift.prompts.rephrase import rephrase


def run(*, config: QuestionsJob, raw: Path, output: Path) -> None:
    """Write each prompt with its question; a chat model's answers are kept in a ledger next to `output`."""
    prompts = RAW_PROMPTS.read(raw)
    texts = prompts["source_text"].to_list()
    with owned(output) as owner:
        frame = prompts.with_columns(pl.Series("question", _questions(texts, config, output), dtype=pl.String))
        print(f"{frame.filter(pl.col('question') != pl.col('source_text')).height} of {frame.height} prompts edited")
        owner.ensure()
        QUESTIONS.write(frame, output)


def _questions(texts: list[str], config: QuestionsJob, output: Path) -> list[str]:
    match config.method:
        case "rules":
            names = proper_names(texts)
            return [rephrase(text, names) for text in texts]
        case "none":
            return texts
        case "llm":
            return llm.rephrase(texts, config, output.with_suffix(".ledger.sqlite"))
