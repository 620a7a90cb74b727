"""Simple preference optimization (Meng et al. 2024)."""

from pathlib import Path

from trl.experimental.cpo import CPOConfig, CPOTrainer

from valuedrift.config.algorithms import SimpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_model
from valuedrift.train.pairs import prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace


def run(*, config: TrainingJob[SimpoConfig], parent: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` on a preference set; there is no reference model."""
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space:
        trainer = CPOTrainer(
            model=adapted(load_model(given.parent, config.model), config.training),
            args=CPOConfig(
                **trainer_arguments(config, space.scratch),
                loss_type="simpo",
                cpo_alpha=0.0,  # TRL's default, 1.0, adds CPO's likelihood term: that is CPO-SimPO
                beta=config.training.beta,
                simpo_gamma=config.training.gamma,
                max_length=config.training.max_length,
                max_completion_length=config.training.max_response,
            ),
            train_dataset=given.pairs,
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        space.finish(given.manifest, train(trainer, space, config))
