"""Hyperparameters that all training algorithms share, and the jobs of the training steps."""

import json
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, LearningRate, NonNegative, Number, Rate, Share, Undescribed
from valuedrift.config.models import ModelConfig


class LoraConfig(Closed):
    """Low-rank adapters (Hu et al. 2021) on every linear layer, instead of training all weights. Checkpoints are saved merged."""

    rank: Count = 16
    """Rank of the adapters."""
    alpha: Count = 32
    """Scale of the adapters, divided by the rank."""
    dropout: Share = 0.0
    """Dropout before the adapters, only in SFT: the other algorithms compare two passes through a model, or two models, and turn
    all dropout off."""


class Checkpoints(Closed):
    every: Count | None = None
    """Save every N optimizer steps. The final step is always saved."""
    fractions: Annotated[list[Annotated[Number, Field(gt=0, le=1)]], Field(min_length=1)] | None = None
    """Save at these fractions of the training; early ones say more, since most of the drift is early."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "Checkpoints":
        if (self.every is None) == (self.fractions is None):
            raise ValueError("give either `every` or `fractions`")
        return self


class TrainingConfig(Closed):
    learning_rate: LearningRate
    """Peak learning rate."""
    epochs: Rate = 3
    """Passes over the training split."""
    batch_size: Count
    """Examples in one optimizer step."""
    device_batch_size: Count | None = None
    """Largest number of examples that one device holds at once; the rest of its share of `batch_size` is accumulated. By default
    the whole share. The number of devices changes no batch, except that the last batch of an epoch, if the rows do not divide
    equally, is filled with the epoch's first rows; PPO's batches are always full."""
    max_length: Count = 2048
    """Longest sequence, in tokens. SFT truncates longer conversations; longer pairs, and prompts that leave PPO no room for a
    response, are dropped and counted in the manifest."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Learning rate schedule after the warm-up."""
    warmup: Share = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[Number, Field(ge=0, le=10)] = 0.0
    """AdamW's weight decay. The paper uses none."""
    max_grad_norm: Rate = 1.0
    """Gradients are clipped to this norm."""
    gradient_checkpointing: bool = False
    """Recompute activations to save memory."""
    logging_steps: Count = 10
    """Optimizer steps between two rows of the training log; PPO logs every step."""
    lora: LoraConfig | None = None
    """Train low-rank adapters instead of all weights; `{}` takes the defaults."""
    checkpoints: Checkpoints = Checkpoints(fractions=[1.0])
    """Which steps are saved and measured."""

    @property
    def variant(self) -> str | None:
        """Name in figures where the keys choose a method other than the one that the algorithm is named after."""
        return None

    @model_validator(mode="after")
    def _whole_batches(self) -> "TrainingConfig":
        device = self.device_batch_size
        if device is not None and self.batch_size % device:
            fits = max(n for n in range(1, device + 1) if self.batch_size % n == 0)
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of device_batch_size {device}; the nearest below is {fits}"
            )
        return self


class PreferenceConfig(TrainingConfig):
    batch_size: Count = 32
    """Examples in one optimizer step."""
    max_response: Count = 1024
    """Longest response, in tokens: PPO's rollouts end there; pairs with a longer answer are dropped."""

    @model_validator(mode="after")
    def _room_for_a_prompt(self) -> "PreferenceConfig":
        if self.max_response >= self.max_length:
            raise ValueError(f"max_response ({self.max_response}) leaves no room for a prompt in max_length ({self.max_length})")
        return self


# Jobs of single steps.

Settings = TypeVar("Settings", bound=TrainingConfig)


class BaseJob(Closed):
    run: str
    model: ModelConfig
    seed: int


class ExternalJob(Closed):
    run: str
    checkpoints: list[tuple[int, str, bool | None]]
    """Step, folder and whether to prompt through the chat template (None: if there is one), in ascending order of steps."""
    trust_remote_code: bool
    seed: int


class TrainingJob(Undescribed, Generic[Settings]):
    """One training: the run, its data and the hyperparameters of its algorithm."""

    run: str
    """Id of the run, or of the reward model."""
    parent: str
    algorithm: str
    model: ModelConfig
    dataset: str
    chosen: str | None
    seed: int
    training: Settings
    save_minutes: NonNegative = 0
    """Minutes between two saved resume states; 0 saves one only when the training is asked to stop."""

    @property
    def identity(self) -> str:
        """The part of the job that decides the weights, as JSON."""
        return json.dumps(self.model_dump(mode="json", exclude={"save_minutes"}), sort_keys=True)
