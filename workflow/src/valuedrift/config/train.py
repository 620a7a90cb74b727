"""What every training reads: hyperparameters that all algorithms share, and the jobs of the training steps."""

import json
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, NonNegative, Rate, Share
from valuedrift.config.models import ModelConfig


class LoraConfig(Closed):
    """Low-rank adapters (Hu et al. 2021) on every linear layer, instead of training all weights. Checkpoints are saved merged."""

    rank: Count = 16
    """Rank of the adapters."""
    alpha: Count = 32
    """Scale of the adapters, divided by the rank."""
    dropout: Share = 0.0
    """Dropout before the adapters, in SFT alone: the other trainings compare two passes through a model, or two models, and switch
    all dropout off."""


class Checkpoints(Closed):
    every: Count | None = None
    """Save every N optimizer steps. The final step is always saved."""
    fractions: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] | None = None
    """Save at these fractions of the training; early ones say more, since most of the drift is early."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "Checkpoints":
        if (self.every is None) == (self.fractions is None):
            raise ValueError("give either `every` or `fractions`")
        return self


class TrainingConfig(Closed):
    learning_rate: Rate
    """Peak learning rate."""
    epochs: Rate = 3
    """Passes over the training split."""
    batch_size: Count
    """Examples in one optimizer step."""
    device_batch_size: Count | None = None
    """The most examples that one device holds at once; the rest of its share of `batch_size` is accumulated. All by default. The
    number of devices changes no batch, but that the last of an epoch, where the rows do not fill it equally, is filled up with the
    epoch's first; PPO's are always full."""
    max_length: Count = 2048
    """Longest sequence, in tokens. Longer conversations are cut in SFT; longer pairs, and prompts that leave PPO no room for a
    response, are dropped and counted in the manifest."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Learning rate schedule after the warm-up."""
    warmup: Share = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: NonNegative = 0.0
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
                f"batch_size {self.batch_size} is no multiple of device_batch_size {device}; the nearest below is {fits}"
            )
        return self


class PreferenceConfig(TrainingConfig):
    batch_size: Count = 32
    """Examples in one optimizer step."""
    max_response: Count = 1024
    """Longest response, in tokens: PPO's rollouts end there, pairs with a longer answer are dropped."""

    @model_validator(mode="after")
    def _room_for_a_prompt(self) -> "PreferenceConfig":
        if self.max_response >= self.max_length:
            raise ValueError(f"max_response ({self.max_response}) leaves no room for a prompt in max_length ({self.max_length})")
        return self


# What single steps read, where that is not one of the blocks above.

Settings = TypeVar("Settings", bound=TrainingConfig)


class BaseJob(Closed):
    run: str
    model: ModelConfig
    seed: int


class ExternalJob(Closed):
    run: str
    checkpoints: list[tuple[int, str, bool | None]]
    """Step, folder and whether to ask through a chat template (None: where there is one), ascending."""
    trust_remote_code: bool
    seed: int


class TrainingJob(Closed, Generic[Settings]):
    """One training: which run on which data, with the hyperparameters of its algorithm."""

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
    """How often a state to go on from is left, in minutes; 0 leaves one only when the training is told to stop."""

    @property
    def identity(self) -> str:
        """What of the job decides the weights."""
        return json.dumps(self.model_dump(mode="json", exclude={"save_minutes"}), sort_keys=True)
