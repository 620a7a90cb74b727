"""Direct preference optimization (Rafailov et al. 2023), also with the loss of IPO (Azar et al. 2023)."""

from pathlib import Path

from trl import DPOConfig, DPOTrainer

from valuedrift.config.algorithms import DpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train import processes
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_model
from valuedrift.train.pairs import on_disk, prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace


def run(*, config: TrainingJob[DpoConfig], parent: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` on a preference set; that model is also the reference."""
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space, processes.shared_folder() as folder:
        trainer = DPOTrainer(
            model=adapted(load_model(given.parent, config.model), config.training),
            # With adapters the reference is the model without them.
            ref_model=None if config.training.lora else load_model(given.parent, config.model),
            args=DPOConfig(
                **trainer_arguments(config, space.scratch),
                loss_type=[config.training.loss],
                beta=config.training.beta,
                max_length=config.training.max_length,
                # The reference never changes: 14% less time. TRL cannot hash one whose weights are shared.
                precompute_ref_log_probs=not processes.strategy(),
            ),
            train_dataset=on_disk(given.pairs, folder),
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        space.finish(given.manifest, train(trainer, space, config))
