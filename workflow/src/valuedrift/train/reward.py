"""A reward model: the SFT model with a scalar head, trained to prefer the chosen answers."""

from pathlib import Path

from transformers import set_seed
from trl import RewardConfig, RewardTrainer

from valuedrift.config.training import RewardJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import final_of, load_scorer, load_tokenizer
from valuedrift.train.pairs import conversational, fitting, load_pairs
from valuedrift.train.trajectory import SaveCheckpoints, describe, log_rows, workspace


def run(*, config: RewardJob, parent: Path, data: Path, output: Path) -> None:
    """Train a reward model from the final model of the manifest `parent` on a preference set, by Bradley-Terry."""
    folder, parent_hash = final_of(parent)
    set_seed(config.seed)
    tokenizer = load_tokenizer(folder, config.model)
    given = load_pairs(data, config.chosen)
    pairs = fitting(given, tokenizer, config.training)
    with workspace(output) as space:
        trainer = RewardTrainer(
            model=load_scorer(folder, config.model, tokenizer.pad_token_id),
            args=RewardConfig(**trainer_arguments(config, space.scratch), max_length=config.training.max_length),
            train_dataset=conversational(pairs),
            processing_class=tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, tokenizer)],
        )
        trainer.train()
        space.finish(
            describe(config, parent_hash, data, pairs.height, given.height - pairs.height),
            log_rows(config.run, trainer.state.log_history),
        )
