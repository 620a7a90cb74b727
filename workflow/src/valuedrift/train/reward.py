"""A reward model: the SFT model with a scalar head, trained to prefer the chosen answers."""

from pathlib import Path
from typing import Any

import torch
import trl
from datasets import Dataset

from valuedrift.config.algorithms import RewardConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_scorer
from valuedrift.train.pairs import conversational, fits, load_pairs, prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace
from valuedrift.train.validation import Validation


def run(*, config: TrainingJob[RewardConfig], parent: Path, data: Path, output: Path) -> None:
    """Train a reward model from the final model of the manifest `parent` on a preference set, by Bradley-Terry."""
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space:
        trainer = trl.RewardTrainer(
            model=adapted(load_scorer(given.parent, config.model, given.tokenizer.pad_token_id), config.training),
            args=trl.RewardConfig(**trainer_arguments(config, space.scratch), max_length=config.training.max_length),
            train_dataset=given.pairs,
            eval_dataset=_heldout(config, data, given.tokenizer),
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        trainer.add_callback(Validation(trainer, config.training.checkpoints, "validation_accuracy", _ranked))
        space.finish(given.manifest, train(trainer, space, config))


def _heldout(config: TrainingJob[RewardConfig], data: Path, tokenizer: Any) -> Dataset | None:
    """Return pairs of the validation split that fit; the table's rows are in random order, so these are drawn."""
    pairs = load_pairs(data, config.chosen, "validation").head(config.training.heldout)
    fit = fits(pairs, tokenizer, config.training)
    return conversational(pairs.filter(fit)) if fit.any() else None


def _ranked(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Return how many of a batch's chosen answers score higher than the rejected, and how many pairs it has (2,)."""
    chosen, rejected = model(**inputs, use_cache=False).logits[:, 0].chunk(2)
    return torch.stack([(chosen > rejected).sum(), torch.tensor(len(chosen), device=chosen.device)]).double()
