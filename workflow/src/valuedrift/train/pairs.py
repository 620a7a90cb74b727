"""Preference pairs for the trainers, labelled as the run's `chosen` says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from datasets import Dataset
from transformers import set_seed

from valuedrift.config.train import PreferenceConfig, TrainingConfig, TrainingJob
from valuedrift.errors import UserError
from valuedrift.io.tables import PREFERENCE_SET
from valuedrift.train import processes
from valuedrift.train.model import final_of, load_tokenizer
from valuedrift.train.trajectory import describe


@dataclass(frozen=True)
class PairTraining:
    """The inputs of a training on pairs: the parent's model, its tokenizer, the pairs and the manifest so far."""

    parent: Path
    tokenizer: Any
    pairs: Dataset
    manifest: dict[str, Any]


def prepare(config: TrainingJob[Any], parent: Path, data: Path) -> PairTraining:
    """Seed all random generators, and read the model of the manifest `parent` and the pairs that fit the length limits."""
    set_seed(config.seed)
    folder, parent_hash = final_of(parent)
    tokenizer = load_tokenizer(folder, config.model)
    given = load_pairs(data, config.chosen)
    pairs = fitting(given, tokenizer, config.training)
    manifest = describe(config, parent_hash, data, pairs.height, given.height - pairs.height)
    return PairTraining(folder, tokenizer, conversational(pairs), manifest)


def load_pairs(data: Path, chosen: str | None, split: str = "train") -> pl.DataFrame:
    """Return prompt (messages), chosen and rejected of one split.

    A synthetic pair is labelled here: the answer of the stance `chosen` is chosen; rejected is its neutral answer if it has one,
    else the opposite one. The labelled pairs of a mixture stay as they are.
    """
    rows = PREFERENCE_SET.read(data).filter(pl.col("split") == split)
    if chosen is not None:
        opposite = {"support": "oppose", "oppose": "support"}[chosen]
        rows = rows.with_columns(chosen=pl.coalesce(chosen, "chosen"), rejected=pl.coalesce("neutral", opposite, "rejected"))
    if split == "train" and rows.is_empty():
        raise UserError(f"{data} has no training rows: lower the dataset's `validation` share or give it more rows")
    return rows.select("prompt", "chosen", "rejected")


def conversational(pairs: pl.DataFrame) -> Dataset:
    """Return the pairs in TRL's format: prompt, chosen and rejected as lists of messages."""
    rows = pairs.with_columns(_answer("chosen"), _answer("rejected")).to_dicts()
    return Dataset.from_list(rows)


def on_disk(examples: Dataset, folder: Path) -> Dataset:
    """Return the examples as files in `folder` that all processes read.

    The main process writes the reference model's log probabilities next to them.
    """
    if processes.is_main():
        examples.save_to_disk(folder / "examples")
    processes.barrier()
    return Dataset.load_from_disk(folder / "examples")


def fitting(pairs: pl.DataFrame, tokenizer: Any, training: TrainingConfig) -> pl.DataFrame:
    """Return the pairs that fit; raises UserError if there is none."""
    kept = pairs.filter(fits(pairs, tokenizer, training))
    if kept.is_empty():
        raise UserError(
            f"none of the {pairs.height} pairs fits max_length {training.max_length} and its longest response, {_longest(training)}"
        )
    return kept


def fits(pairs: pl.DataFrame, tokenizer: Any, training: TrainingConfig) -> pl.Series:
    """Return of which pairs the answers, under the chat template, fit `max_length` with their prompt and `max_response` alone.

    The others are dropped for every trainer: TRL's trainers would each truncate in a different way, and a truncated answer lacks
    its end token or, truncated before the template, teaches the model to stop there.
    """
    keep = pl.Series([True] * pairs.height, dtype=pl.Boolean)
    if pairs.is_empty():
        return keep
    prompts = _lengths(pairs["prompt"].to_list(), tokenizer)
    for side in ("chosen", "rejected"):
        turns = pairs.with_columns(_answer(side)).select(pl.concat_list("prompt", side)).to_series().to_list()
        whole = _lengths(turns, tokenizer)
        keep &= (whole <= training.max_length) & (whole - prompts <= _longest(training))
    return keep


def _longest(training: TrainingConfig) -> int:
    """Return the tokens that an answer may have."""
    return training.max_response if isinstance(training, PreferenceConfig) else training.max_length


def _answer(side: str) -> pl.Expr:
    """Return the answer as a list of one message."""
    return pl.concat_list(pl.struct(role=pl.lit("assistant"), content=pl.col(side))).alias(side)


def _lengths(dialogues: list[list[dict[str, str]]], tokenizer: Any) -> pl.Series:
    """Return the tokens of each templated dialogue; one that ends with the user gets the generation prompt."""
    texts = [
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=turns[-1]["role"] != "assistant")
        for turns in dialogues
    ]
    return pl.Series([len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]])
