"""Datasets, training and runs."""

import itertools
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, Name, NonNegative, Rate, Seed, Share
from valuedrift.config.models import ModelConfig


class DatasetConfig(Closed):
    format: Literal["wildchat", "alpaca", "messages", "ultrafeedback", "hh_rlhf", "synthetic"]
    """Schema of the rows: wildchat, alpaca, messages (SFT) or ultrafeedback, hh_rlhf, synthetic (preferences)."""
    path: str
    """Local file (.json, .jsonl, .csv, .parquet, also .gz) or hub name."""
    revision: str | None = None
    """Commit of the hub repository; none for a local file."""
    subset: str | None = None
    """Configuration of the hub dataset, where it has several."""
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
    expected: dict[Literal["train", "validation"], Count] | None = None
    """Rows of the splits that the paper reports; the report shows them beside the study's own."""

    @property
    def is_preference(self) -> bool:
        return self.format in ("ultrafeedback", "hh_rlhf", "synthetic")


class MixtureConfig(Closed):
    """A value-gap sweep: preference sets mixed from pairs with and without a value gap, one for each share, called
    `<name>-<share>`. All have the same number of rows."""

    gap: Name
    """Synthetic preference set."""
    rest: Name
    """Standard preference set, from which the other rows come."""
    shares: Annotated[list[Share], Field(min_length=1)]
    """Shares of synthetic pairs."""
    rows: Count | None = None
    """Training rows of each mixture; by default as many as the smaller of the two sets has."""

    def names(self, name: str) -> dict[str, float]:
        """Name of each mixture → its share."""
        return {f"{name}-{share:g}": share for share in self.shares}


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
    packing: bool = True
    """Lay the conversations that a device holds at once end to end in one row, where each sees only itself, instead of padding
    them to the longest. Steps and losses are the same; some kinds of models (state-space layers) cannot be packed."""
    attention: Literal["documents", "sdpa", "flash_attention_2", "flash_attention_3"] = "documents"
    """How a packed conversation sees only itself. documents: computed for each by itself, on GPUs in half precision by torch's own
    flash kernel. sdpa: one mask over the row, slow for long rows, also for sliding windows. The others need their packages."""


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
    clip: Rate = 0.2
    """How far a token's ratio may move from 1 before it earns no more. This and the next four are TRL's defaults; the paper does
    not say."""
    value_clip: Rate = 0.2
    """How far a value may move from that of the rollout before it earns no more."""
    value_weight: NonNegative = 0.1
    """Weight of the value model's loss."""
    discount: Share = 1.0
    """Discount of later rewards, for each token."""
    gae_lambda: Share = 0.95
    """Decay of the advantage estimate: at 1 it trusts the rewards alone, at 0 the value of the next token."""
    eos_penalty: NonNegative | None = 1.0
    """Taken off the reward of a response that does not end (the paper's EOS trick); none turns it off."""
    whiten_rewards: bool = False
    """Scale the rewards of a batch to unit variance."""
    rollout_batch_size: Count | None = None
    """Responses that one device samples at once, all of its share by default. Sampling holds no activations, so that more fit than
    in `device_batch_size`."""
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


@dataclass(frozen=True)
class RunItem:
    """One run of a block: names of its parent and dataset, and what sets it apart from the block's others."""

    parent: str
    algorithm: Algorithm
    data: str
    chosen: str | None
    seed: int
    set: dict[str, Any]
    label: str | None


class RunsConfig(Closed):
    """One block of runs: the product of its lists."""

    parent: str | list[str]
    """Run or runs that training starts from; `<model>/base` is a base model."""
    algorithm: Algorithm | list[Algorithm]
    """sft, ppo, dpo, simpo, or several of them."""
    data: Name | list[Name]
    """Name or names of datasets; that of a mixture stands for all of its shares."""
    chosen: Literal["support", "oppose"] | list[Literal["support", "oppose"]] | None = None
    """Which answer of a synthetic pair is the chosen one; only for synthetic preferences and mixtures."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds of the training; by default the study's `seeds`. The first one's run has the plain name, the others end in
    `-seed<n>`. A run descends from its parent under the same seed, where there is one. Tables and figures show means and spread."""
    set: dict[str, Any] = {}
    """Training keys that differ from `training:` for these runs."""
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    """Training keys with lists of values: one run for each, whose name ends in key and value, such as `-kl0.01`."""
    label: Name | None = None
    """Appended to the runs' names, to tell apart runs that differ in `set` only."""

    @model_validator(mode="after")
    def _no_empty_product(self) -> "RunsConfig":
        for key in ("parent", "algorithm", "data", "chosen"):
            if getattr(self, key) == []:
                raise ValueError(f"`{key}` is an empty list: name at least one")
        if both := self.set.keys() & self.sweep.keys():
            raise ValueError(f"`{min(both)}` stands in `set` and in `sweep`")
        if self.seeds and len(set(self.seeds)) < len(self.seeds):
            raise ValueError("`seeds` names one twice")
        for key, values in self.sweep.items():
            if any(isinstance(value, dict | list) or not re.fullmatch(r"[\w.-]+", str(value)) for value in values):
                raise ValueError(
                    f"`sweep.{key}`: its values become names, so they must be numbers or words; for others give a block "
                    "with `set` and `label` for each"
                )
        return self

    def product(self, seeds: list[int]) -> list[RunItem]:
        """Every run of the block, parents varying slowest; `seeds` are the study's."""
        axes = (_listed(self.parent), _listed(self.algorithm), _listed(self.data), _listed(self.chosen), self._variants())
        return [
            RunItem(parent, algorithm, data, chosen, seed, self.set | values, label)
            for parent, algorithm, data, chosen, (values, label) in itertools.product(*axes)
            for seed in (self.seeds or seeds)
        ]

    def _variants(self) -> list[tuple[dict[str, Any], str | None]]:
        """Swept values with the label of each combination."""
        chosen = [dict(zip(self.sweep, values, strict=True)) for values in itertools.product(*self.sweep.values())]
        return [(v, "-".join(filter(None, (self.label, *(f"{k}{v[k]}" for k in v)))) or None) for v in chosen]


# What single steps read, where that is not one of the blocks above.


class DatasetJob(DatasetConfig):
    seed: int


class MixtureJob(Closed):
    share: float
    """Share of the rows that come from the set with a value gap."""
    rows: int | None
    seed: int


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
    save_minutes: NonNegative = 0
    """How often a state to go on from is left, in minutes; 0 leaves one only when the training is told to stop."""

    @property
    def identity(self) -> str:
        """What of the job decides the weights."""
        return json.dumps(self.model_dump(mode="json", exclude={"save_minutes"}), sort_keys=True)


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
