"""Raw prompts as questions."""

from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.frames import QUESTIONS, RAW_PROMPTS
from valuedrift.prompts.english import proper_names
from valuedrift.prompts.rephrase import rephrase


def run(*, config: str, raw: Path, output: Path) -> None:
    """Write each prompt with its question; config is the method: rules or none."""
    prompts = RAW_PROMPTS.read(raw)
    frame = prompts.with_columns(pl.Series("question", questions(prompts["source_text"].to_list(), config), dtype=pl.String))
    print(f"{frame.filter(pl.col('question') != pl.col('source_text')).height} of {frame.height} prompts edited")
    QUESTIONS.write(frame, output)


def questions(texts: list[str], method: str) -> list[str]:
    """The question that each text becomes; raises UserError for a method that there is not."""
    match method:
        case "rules":
            names = proper_names(texts)
            return [rephrase(text, names) for text in texts]
        case "none":
            return texts
    raise UserError(f"config: `prompts.rephrase`: there is no method `{method}`; there are rules, none")
