"""Simple preference optimization (Meng et al. 2024)."""

from pathlib import Path

from transformers import set_seed
from trl.experimental.cpo import CPOConfig, CPOTrainer

from valuedrift.config.training import SimpoJob
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import final_of, load_model, load_tokenizer
from valuedrift.train.pairs import conversational, fitting, load_pairs
from valuedrift.train.trajectory import SaveCheckpoints, describe, log_rows, workspace


def run(*, config: SimpoJob, parent: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` on a preference set; there is no reference model."""
    folder, parent_hash = final_of(parent)
    set_seed(config.seed)
    tokenizer = load_tokenizer(folder, config.model)
    given = load_pairs(data, config.chosen)
    pairs = fitting(given, tokenizer, config.training)
    with workspace(output) as space:
        trainer = CPOTrainer(
            model=load_model(folder, config.model),
            args=CPOConfig(
                **trainer_arguments(config, space.scratch),
                loss_type="simpo",
                cpo_alpha=0.0,  # TRL's default, 1.0, adds CPO's likelihood term: that is CPO-SimPO
                beta=config.training.beta,
                simpo_gamma=config.training.gamma,
                max_length=config.training.max_length,
                max_completion_length=config.training.max_response,
            ),
            train_dataset=conversational(pairs),
            processing_class=tokenizer,
            callbacks=[SaveCheckpoints(space, config.training.checkpoints, tokenizer)],
        )
        trainer.train()
        space.finish(
            describe(config, parent_hash, data, pairs.height, given.height - pairs.height),
            log_rows(config.run, trainer.state.log_history),
        )
