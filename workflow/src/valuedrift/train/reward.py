"""A reward model: the SFT model with a scalar head, trained to prefer the chosen answers."""

from pathlib import Path

import trl

from valuedrift.config.algorithms import RewardConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_scorer
from valuedrift.train.pairs import prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace


def run(*, config: TrainingJob[RewardConfig], parent: Path, data: Path, output: Path) -> None:
    """Train a reward model from the final model of the manifest `parent` on a preference set, by Bradley-Terry."""
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space:
        trainer = trl.RewardTrainer(
            model=adapted(load_scorer(given.parent, config.model, given.tokenizer.pad_token_id), config.training),
            args=trl.RewardConfig(**trainer_arguments(config, space.scratch), max_length=config.training.max_length),
            train_dataset=given.pairs,
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        space.finish(given.manifest, train(trainer, space, config))
