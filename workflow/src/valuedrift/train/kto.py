"""Kahneman-Tversky optimization (Ethayarajh et al. 2024): each answer of a pair is one example, desirable or undesirable."""

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import KTOConfig, KTOTrainer
from trl.data_utils import unpair_preference_dataset

from valuedrift.config.algorithms import KtoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.train import processes
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import adapted, load_model
from valuedrift.train.pairs import on_disk, prepare
from valuedrift.train.resume import train
from valuedrift.train.trajectory import SaveCheckpoints, identity_of, workspace


def run(*, config: TrainingJob[KtoConfig], parent: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` on a preference set; that model is also the reference.

    The KL term is estimated from the answers that a device holds at once, each with the prompt of its neighbour, so
    `device_batch_size` and the number of GPUs change the estimate.
    """
    given = prepare(config, parent, data)
    with workspace(output, identity_of(config, given.manifest)) as space, processes.shared_folder() as folder:
        trainer = KTOTrainer(
            model=adapted(load_model(given.parent, config.model), config.training),
            # With adapters the reference is the model without them.
            ref_model=None if config.training.lora else load_model(given.parent, config.model),
            args=KTOConfig(
                **_two_answers_a_pair(trainer_arguments(config, space.scratch)),
                beta=config.training.beta,
                desirable_weight=config.training.desirable_weight,
                undesirable_weight=config.training.undesirable_weight,
                max_length=config.training.max_length,
                # The reference never changes. TRL cannot hash one whose weights are shared.
                precompute_ref_log_probs=not processes.strategy(),
            ),
            train_dataset=on_disk(answers(given.pairs, config.seed), folder),
            processing_class=given.tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, given.tokenizer)],
        )
        space.finish(given.manifest, train(trainer, space, config))


def answers(pairs: Dataset, seed: int) -> Dataset:
    """Return prompt, completion and label of both answers of each pair, in one random order.

    TRL's KTO reads its data in the order that it gets, the same in every epoch, since it chooses for each answer beforehand the
    neighbour that the KL term needs. Unshuffled, TRL's own unpairing gives 1,000 desirable answers and then 1,000 undesirable ones.
    """
    return unpair_preference_dataset(pairs).shuffle(seed=seed)


def _two_answers_a_pair(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with a batch size in answers, as TRL counts it: our configs count pairs for every algorithm."""
    return arguments | {"per_device_train_batch_size": 2 * arguments["per_device_train_batch_size"]}
