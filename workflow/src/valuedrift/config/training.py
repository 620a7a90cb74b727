"""Models, datasets, training and runs."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, Name, NonNegative, Rate, Share


class ModelConfig(Closed):
    path: str
    """Local folder or hub name of the base model, in safetensors."""
    revision: str | None = None
    """Commit of the hub repository; none for a local folder."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the weights in training and measuring."""
    pad_token: str | None = None
    """Existing token used for padding; by default the tokenizer's own, else a reserved token of the vocabulary."""
    trust_remote_code: bool = False
    """Run code that comes with the model. Leave it off unless you have read that code."""


SftFormat = Literal["wildchat", "alpaca", "messages"]
PreferenceFormat = Literal["ultrafeedback", "hh_rlhf", "synthetic"]


class DatasetConfig(Closed):
    format: SftFormat | PreferenceFormat
    """Schema of the rows: wildchat, alpaca, messages (SFT) or ultrafeedback, hh_rlhf, synthetic (preferences)."""
    path: str
    """Local file (.json, .jsonl, .csv, .parquet, also .gz) or hub name."""
    revision: str | None = None
    """Commit of the hub repository; none for a local file."""
    split: str = "train"
    """Split of the hub dataset; local files have one."""
    language: str | None = None
    """Keep only rows whose `language` is this one (WildChat: English)."""
    turns: Literal["first", "all"] = "first"
    """How many turns of a conversation are kept: the first exchange, or all of them. The paper does not say."""
    limit: Count | None = None
    """Draw this many rows with the study's seed; all by default."""
    validation: Share = 0.1
    """Share held out for validation. The paper's is 10%."""
    max_malformed: Share = 0.01
    """The stage stops when more than this share of the rows is malformed."""

    @property
    def is_preference(self) -> bool:
        return self.format in ("ultrafeedback", "hh_rlhf", "synthetic")


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
    """Examples that one device holds at once; the rest is accumulated. All by default."""
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
    """Optimizer steps between two rows of the training log; TRL's PPO logs every step."""
    checkpoints: Checkpoints = Checkpoints(fractions=[1.0])
    """Which steps are saved and measured."""

    @model_validator(mode="after")
    def _whole_batches(self) -> "TrainingConfig":
        device = self.device_batch_size
        if device is not None and self.batch_size % device:
            fits = max(n for n in range(1, device + 1) if self.batch_size % n == 0)
            raise ValueError(
                f"batch_size {self.batch_size} is no multiple of device_batch_size {device}; the nearest below is {fits}"
            )
        return self


class SftConfig(TrainingConfig):
    learning_rate: Rate = 2e-5
    """Peak learning rate."""
    batch_size: Count = 128
    """Examples in one optimizer step."""
    warmup: Share = 0.03
    """Share of the steps in which the learning rate rises."""


class RewardConfig(TrainingConfig):
    learning_rate: Rate = 1e-5
    """Peak learning rate."""
    batch_size: Count = 128
    """Examples in one optimizer step."""
    epochs: Rate = 1
    """Passes over the training split."""


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


class PpoConfig(PreferenceConfig):
    learning_rate: Rate = 5e-7
    """Peak learning rate."""
    kl: NonNegative = 0.05
    """Coefficient of the KL penalty against the SFT model."""
    temperature: Rate = 0.7
    """Sampling temperature of the rollouts."""
    ppo_epochs: Count = 4
    """Optimization passes over each batch of rollouts. The paper does not say; 4 is TRL's default."""
    minibatches: Count = 1
    """Minibatches that each such pass is cut into. The paper does not say."""
    eos_penalty: NonNegative | None = 1.0
    """Taken off the reward of a response that does not end (the paper's EOS trick); none turns it off."""
    whiten_rewards: bool = False
    """Scale the rewards of a batch to unit variance."""
    heldout: Count = 64
    """Prompts of the validation split on which reward and KL are measured before and after."""

    @model_validator(mode="after")
    def _whole_minibatches(self) -> "PpoConfig":
        if self.batch_size % (self.minibatches * (self.device_batch_size or 1)):
            raise ValueError(
                f"batch_size {self.batch_size} cannot be cut into {self.minibatches} minibatches of whole device batches"
            )
        return self


class DpoConfig(PreferenceConfig):
    learning_rate: Rate = 1e-5
    """Peak learning rate."""
    beta: Rate = 0.1
    """Strength of the tie to the SFT model: a smaller one allows more change."""


class SimpoConfig(PreferenceConfig):
    learning_rate: Rate = 5e-7
    """Peak learning rate."""
    beta: Rate = 2.0
    """Scale of the length-normalised reward."""
    gamma: NonNegative = 0.5
    """Target margin, absolute as in TRL. SimPO's reference code writes gamma / beta = 0.5; the paper's 0.5 may mean either."""


class Training(Closed):
    sft: SftConfig = SftConfig()
    """Supervised fine-tuning."""
    reward: RewardConfig = RewardConfig()
    """The reward models that PPO needs."""
    ppo: PpoConfig = PpoConfig()
    """Proximal policy optimization."""
    dpo: DpoConfig = DpoConfig()
    """Direct preference optimization."""
    simpo: SimpoConfig = SimpoConfig()
    """Simple preference optimization."""


Algorithm = Literal["sft", "ppo", "dpo", "simpo"]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class RunsConfig(Closed):
    """One block of runs: the product of its lists."""

    parent: str | list[str]
    """Run or runs that training starts from; `<model>/base` is a base model."""
    algorithm: Algorithm | list[Algorithm]
    """sft, ppo, dpo, simpo, or several of them."""
    data: Name | list[Name]
    """Name or names of datasets."""
    chosen: Literal["support", "oppose"] | list[Literal["support", "oppose"]] | None = None
    """Which answer of a synthetic pair is the chosen one; only for synthetic preferences."""
    label: Name | None = None
    """Appended to the runs' names, to tell apart runs that differ in `set` only."""
    set: dict[str, Any] = {}
    """Training keys that differ from `training:` for these runs."""

    @model_validator(mode="after")
    def _no_empty_product(self) -> "RunsConfig":
        for key in ("parent", "algorithm", "data", "chosen"):
            if getattr(self, key) == []:
                raise ValueError(f"`{key}` is an empty list: name at least one")
        return self

    def product(self) -> list[tuple[str, Algorithm, str, str | None]]:
        """Every (parent, algorithm, dataset, chosen) of the block, parents varying slowest."""
        axes = (_listed(self.parent), _listed(self.algorithm), _listed(self.data), _listed(self.chosen))
        return [(p, a, d, c) for p in axes[0] for a in axes[1] for d in axes[2] for c in axes[3]]


# What single steps read, where that is not one of the blocks above.


class DatasetJob(DatasetConfig):
    seed: int


class BaseJob(Closed):
    run: str
    model: ModelConfig
    seed: int


class TrainingJob(Closed):
    """What every training reads beside its hyperparameters."""

    run: str
    """Id of the run, or of the reward model."""
    parent: str
    algorithm: str
    model: ModelConfig
    dataset: str
    chosen: str | None
    seed: int
    training: TrainingConfig


class SftJob(TrainingJob):
    training: SftConfig


class RewardJob(TrainingJob):
    training: RewardConfig


class PpoJob(TrainingJob):
    training: PpoConfig


class DpoJob(TrainingJob):
    training: DpoConfig


class SimpoJob(TrainingJob):
    training: SimpoConfig


JOBS: dict[str, type[TrainingJob]] = {"sft": SftJob, "reward": RewardJob, "ppo": PpoJob, "dpo": DpoJob, "simpo": SimpoJob}
