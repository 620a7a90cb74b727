"""Preference pairs for the trainers, labelled as the run says."""

from pathlib import Path
from typing import Any

import polars as pl
from datasets import Dataset

from valuedrift.config.training import PreferenceConfig, TrainingConfig
from valuedrift.errors import UserError
from valuedrift.frames import PREFERENCE_SET


def load_pairs(data: Path, chosen: str | None, split: str = "train") -> pl.DataFrame:
    """prompt (messages), chosen, rejected of one split.

    A synthetic set is labelled here: the answer of the stance `chosen` is chosen; rejected is its neutral answer where it has one,
    else the opposite one.
    """
    rows = PREFERENCE_SET.read(data).filter(pl.col("split") == split)
    if chosen is not None:
        opposite = {"support": "oppose", "oppose": "support"}[chosen]
        rows = rows.with_columns(chosen=pl.col(chosen), rejected=pl.coalesce("neutral", opposite))
    if split == "train" and rows.is_empty():
        raise UserError(f"{data} has no training rows: lower the dataset's `validation` share or give it more rows")
    return rows.select("prompt", "chosen", "rejected")


def conversational(pairs: pl.DataFrame, tokenizer: Any, training: TrainingConfig) -> Dataset:
    """Pairs as TRL wants them: prompt, chosen and rejected as lists of messages, responses cut to `max_response` tokens."""
    longest = training.max_response if isinstance(training, PreferenceConfig) else None

    def answer(text: str) -> list[dict[str, str]]:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        if longest is not None and len(tokens) > longest:
            text = tokenizer.decode(tokens[:longest])
        return [{"role": "assistant", "content": text}]

    rows = [{**row, "chosen": answer(row["chosen"]), "rejected": answer(row["rejected"])} for row in pairs.to_dicts()]
    return Dataset.from_list(rows)
