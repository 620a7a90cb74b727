"""Supervised fine-tuning on the assistant's last answer of each conversation."""

from pathlib import Path
from typing import Any

import polars as pl
from datasets import Dataset
from transformers import set_seed
from trl import SFTConfig

from valuedrift.config.algorithms import SftConfig
from valuedrift.config.train import TrainingJob
from valuedrift.errors import UserError
from valuedrift.io.tables import SFT_SET
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, final_of, load_model, load_tokenizer
from valuedrift.train.packing import DocumentTrainer
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, describe, identity_of, workspace
from valuedrift.train.validation import Validation


def run(*, config: TrainingJob[SftConfig], parent: Path, data: Path, output: Path) -> None:
    """Fine-tune the final model of the manifest `parent` on an SFT set; loss on the answer and its end token only."""
    folder, parent_hash = final_of(parent)
    set_seed(config.seed)
    tokenizer = load_tokenizer(folder, config.model)
    table = SFT_SET.read(data)
    rows, heldout = (table.filter(pl.col("split") == split)["messages"].to_list() for split in ("train", "validation"))
    if not rows:
        raise UserError(f"{data} has no training rows: lower the dataset's `validation` share or give it more rows")
    examples = _examples(rows, tokenizer, config.training.max_length)
    if not examples:
        raise UserError(
            f"no prompt of the {len(rows)} conversations in {data} is shorter than max_length {config.training.max_length}"
        )
    # The table's rows are in random order, so these are drawn.
    validation = _examples(heldout[: config.training.heldout], tokenizer, config.training.max_length)
    manifest = describe(config, parent_hash, data, len(examples), len(rows) - len(examples))
    with workspace(output, identity_of(config, manifest)) as space:
        trainer = DocumentTrainer(
            model=adapted(load_model(folder, config.model), config.training),
            training=config.training,
            args=SFTConfig(
                **trainer_arguments(config, space.scratch),
                max_length=config.training.max_length,
                completion_only_loss=True,
            ),
            train_dataset=examples,
            eval_dataset=validation or None,
            processing_class=tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, tokenizer)],
        )
        trainer.add_callback(Validation(trainer, config.training.checkpoints, "validation_loss", trainer.loss_sum))
        space.finish(manifest, train(trainer, space, config))


def _examples(rows: list[list[dict[str, str]]], tokenizer: Any, longest: int) -> Dataset:
    """Return the conversations as TRL takes them.

    A prompt that fills the sequence leaves no answer to learn from; TRL would drop it without counting it.
    """
    used = [turns for turns in rows if _prompt_length(turns, tokenizer) < longest]
    return Dataset.from_list([{"prompt": turns[:-1], "completion": turns[-1:]} for turns in used])


def _prompt_length(turns: list[dict[str, str]], tokenizer: Any) -> int:
    """Return the number of tokens of the templated prompt."""
    text = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
