"""Odds ratio preference optimization (Hong et al. 2024)."""

from pathlib import Path

from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from valuedrift.config.algorithms import OrpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_model
from valuedrift.train.pairs import prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace


def run(*, config: TrainingJob[OrpoConfig], parent: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` on a preference set; there is no reference model.

    The likelihood term covers the prompt as well as the chosen answer, as in the authors' code. It is a mean over the tokens that a
    device holds at once, so `device_batch_size` changes the weights of short and long pairs a little.
    """
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space:
        trainer = ORPOTrainer(
            model=adapted(load_model(given.parent, config.model), config.training),
            args=ORPOConfig(
                **trainer_arguments(config, space.scratch), beta=config.training.beta, max_length=config.training.max_length
            ),
            train_dataset=given.pairs,
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        space.finish(given.manifest, train(trainer, space, config))
