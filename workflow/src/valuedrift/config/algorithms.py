"""The training algorithms: the keys of each, and one row with what the rest of the study reads about it.

A new algorithm takes three files: its keys and its row here, its module `train/<name>.py`, and its rule in `rules/train.smk`. Its
command, its place in the config reference, its label in figures and what its jobs ask of a machine follow from the row.
tests/train/test_algorithms.py fails while a part is missing.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, create_model, model_validator

from valuedrift.config.base import Count, LearningRate, NonNegative, Rate, Share, Undescribed
from valuedrift.config.explain import nearest
from valuedrift.config.train import PreferenceConfig, TrainingConfig, TrainingJob

Heldout = Annotated[int, Field(ge=0, le=10**9)]
"""A number of examples, or none."""


class SftConfig(TrainingConfig):
    learning_rate: LearningRate = 2e-5
    """Peak learning rate."""
    batch_size: Count = 128
    """Examples in one optimizer step."""
    warmup: Share = 0.03
    """Share of the steps in which the learning rate rises."""
    packing: bool = True
    """Concatenate the conversations that a device holds at once into one row, in which each attends only to itself, instead of
    padding them to the longest. Steps and losses are the same; models with state-space layers cannot be packed."""
    attention: Literal["documents", "sdpa", "flash_attention_2", "flash_attention_3"] = "documents"
    """Attention within each packed conversation. documents: each conversation by itself, on GPUs in half precision by torch's own
    flash kernel. sdpa: one mask over the row, slow for long rows, also for sliding windows. The others need their packages."""
    heldout: Heldout = 1000
    """Conversations of the validation split on which the loss is measured before training and at each saved checkpoint; 0 for none.
    With the paper's checkpoints 1,000 cost .5% of the training on WildChat, 3% on Alpaca."""


class RewardConfig(TrainingConfig):
    learning_rate: LearningRate = 1e-5
    """Peak learning rate."""
    batch_size: Count = 128
    """Examples in one optimizer step."""
    epochs: Rate = 1
    """Passes over the training split."""
    heldout: Heldout = 1000
    """Pairs of the validation split on which the accuracy is measured before training and at each saved checkpoint; 0 for none."""


class PpoConfig(PreferenceConfig):
    learning_rate: LearningRate = 5e-7
    """Peak learning rate."""
    kl: NonNegative = 0.05
    """Coefficient of the KL penalty against the SFT model."""
    temperature: Rate = 0.7
    """Sampling temperature of the rollouts."""
    ppo_epochs: Count = 4
    """Optimization passes over each batch of rollouts. The paper does not say; 4 is TRL's default."""
    minibatches: Count = 1
    """Minibatches that each such pass is cut into. The paper does not say."""
    clip: Rate = 0.2
    """Clip range of the policy's probability ratio around 1. This and the next four are TRL's defaults; the paper does not say."""
    value_clip: Rate = 0.2
    """Clip range of the value around its value at the rollout."""
    value_weight: NonNegative = 0.1
    """Weight of the value model's loss."""
    discount: Share = 1.0
    """Discount factor per token."""
    gae_lambda: Share = 0.95
    """Lambda of generalized advantage estimation: 1 uses the rewards alone, 0 only the value of the next token."""
    eos_penalty: NonNegative | None = 1.0
    """Subtracted from the reward of a response without an end token (the paper's EOS trick); none turns it off."""
    whiten_rewards: bool = False
    """Scale the rewards of a batch to unit variance."""
    rollout_batch_size: Count | None = None
    """Responses that one device samples at once; its whole share by default. Sampling keeps no activations, so more fit than in
    `device_batch_size`."""
    heldout: Count = 64
    """Prompts of the validation split on which reward and KL are measured before and after."""

    @model_validator(mode="after")
    def _equal_minibatches(self) -> "PpoConfig":
        if self.batch_size % self.minibatches:
            fits = max(n for n in range(1, self.minibatches + 1) if self.batch_size % n == 0)
            raise ValueError(
                f"batch_size {self.batch_size} cannot be cut into {self.minibatches} minibatches of one size; the nearest below is "
                f"{fits}"
            )
        return self


class DpoConfig(PreferenceConfig):
    learning_rate: LearningRate = 1e-5
    """Peak learning rate."""
    beta: Rate = 0.1
    """Strength of the KL regularization towards the SFT model: a smaller value allows more change. IPO's tau."""
    # Left out at its default, so that manifests and results of trainings from before the key stay as they are.
    loss: Literal["sigmoid", "ipo"] = Field("sigmoid", exclude_if=lambda loss: loss == "sigmoid")
    """sigmoid: DPO's own loss. ipo: the squared loss of IPO (Azar et al. 2023), on log probabilities per token as in TRL; without
    the sigmoid it does not overfit where preferences never contradict each other."""

    @property
    def variant(self) -> str | None:
        return "IPO" if self.loss == "ipo" else None


class SimpoConfig(PreferenceConfig):
    learning_rate: LearningRate = 5e-7
    """Peak learning rate."""
    beta: Rate = 2.0
    """Scale of the length-normalised reward."""
    gamma: NonNegative = 0.5
    """Target margin, absolute as in TRL. SimPO's reference code writes gamma / beta = 0.5; the paper's 0.5 may mean either."""


class KtoConfig(PreferenceConfig):
    learning_rate: LearningRate = 5e-7
    """Peak learning rate. This and beta are the KTO paper's (Ethayarajh et al. 2024)."""
    batch_size: Count = 32
    """Pairs in one optimizer step, as in the other algorithms. KTO learns from each answer by itself: 32 pairs are 64 examples."""
    beta: Rate = 0.1
    """Strength of the regularization towards the SFT model: a smaller value allows more change."""
    desirable_weight: Rate = 1.0
    """Weight of the loss of chosen answers. Pairs have one of each kind, for which the paper weighs both the same."""
    undesirable_weight: Rate = 1.0
    """Weight of the loss of rejected answers."""


class OrpoConfig(PreferenceConfig):
    learning_rate: LearningRate = 8e-6
    """Peak learning rate. This and beta are those of the ORPO paper's Mistral models (Hong et al. 2024)."""
    beta: Rate = 0.1
    """Weight of the odds ratio term next to the likelihood of the chosen answers; the paper's lambda."""


@dataclass(frozen=True)
class Algorithm:
    """What the study, the sizing of jobs and the figures read about a training algorithm."""

    config: type[TrainingConfig]
    """Its keys."""
    label: str
    """Its name in figures and tables."""
    summary: str
    """One line for the config reference and the command's help."""
    pairs: bool = True
    """True if it trains on preference pairs, False if on an SFT set."""
    sequences: int = 2
    """Sequences of one row of the data: 2 for chosen and rejected, else 1."""
    references: int = 0
    """Frozen models that it reads in addition to the trained ones."""
    reference_passes: int = 0
    """How often a frozen reference model reads the whole data, over the whole training."""
    extra_passes: int = 0
    """How often in each epoch the trained model reads the whole data without learning from it."""
    trained_models: int = 1
    """Models that it trains: PPO a value model next to the policy."""
    has_logits: bool = True
    """Whether the trained model predicts tokens; a reward model gives one number."""
    is_run: bool = True
    """True if `runs` may name it; a reward model is trained where an algorithm needs one."""
    needs_reward: bool = False
    """True if it optimizes against a reward model, which is trained first."""


ALGORITHMS: dict[str, Algorithm] = {
    "sft": Algorithm(SftConfig, "SFT", "Supervised fine-tuning.", pairs=False, sequences=1),
    "reward": Algorithm(RewardConfig, "reward model", "The reward models that PPO needs.", has_logits=False, is_run=False),
    "ppo": Algorithm(
        PpoConfig, "PPO", "Proximal policy optimization.", sequences=1, references=2, trained_models=2, needs_reward=True
    ),
    "dpo": Algorithm(DpoConfig, "DPO", "Direct preference optimization.", references=1, reference_passes=1),
    "simpo": Algorithm(SimpoConfig, "SimPO", "Simple preference optimization."),
    # The reference and, in each epoch, the trained model also read each prompt with another prompt's answer, for the KL term.
    "kto": Algorithm(KtoConfig, "KTO", "Kahneman-Tversky optimization.", references=1, reference_passes=2, extra_passes=1),
    "orpo": Algorithm(OrpoConfig, "ORPO", "Odds ratio preference optimization."),
}
"""Name in configs, rules and commands -> the algorithm, in the order of the config reference."""


def job_model(algorithm: str) -> type[TrainingJob[Any]]:
    """Return the model of a training job whose `training` block has the keys of the algorithm."""
    generic: Any = TrainingJob
    model: type[TrainingJob[Any]] = generic[ALGORITHMS[algorithm].config]
    return model


RUN_ALGORITHMS = [name for name, algorithm in ALGORITHMS.items() if algorithm.is_run]
"""Algorithms that `runs` may name."""


def _known(name: str) -> str:
    if name not in RUN_ALGORITHMS:
        raise ValueError(f"unknown algorithm `{name}`{nearest(name, RUN_ALGORITHMS)}")
    return name


AlgorithmName = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": RUN_ALGORITHMS, "type": "string"})]
"""Name of an algorithm that `runs` may name."""

_FIELDS: dict[str, Any] = {
    name: (algorithm.config, Field(algorithm.config.model_validate({}), description=algorithm.summary))
    for name, algorithm in ALGORITHMS.items()
}


class Training(create_model("_Blocks", __base__=Undescribed, **_FIELDS)):  # type: ignore[misc]
    """The config block `training`: the keys of every algorithm, one field for each row of ALGORITHMS."""

    def of(self, algorithm: str) -> TrainingConfig:
        """Return the keys of one algorithm."""
        block: TrainingConfig = getattr(self, algorithm)
        return block
