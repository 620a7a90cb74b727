"""The built-in world: sizes of its corpus and settings of the tiny models that it trains."""

from typing import Literal

from pydantic import Field

from valuedrift.config.base import Closed, Count, NonNegative, Rate, Share
from valuedrift.config.judge import PAPER_PROMPT


class TinyModelConfig(Closed):
    architecture: Literal["llama", "qwen3"] = "llama"
    """Architecture, as transformers names it."""
    hidden: Count = 96
    """Width."""
    layers: Count = 2
    """Layers."""
    heads: Count = 4
    """Attention heads."""
    positions: Count = 512
    """Longest sequence, in tokens."""
    steps: Count = 700
    """Optimizer steps of its training."""
    batch_size: Count = 32
    """Texts in a step."""
    learning_rate: Rate = 6e-3
    """Peak learning rate, cosine, 10% warm-up."""


class MiniatureConfig(Closed):
    """Makes the study's inputs: datasets in the schemas of the real ones, a base model, a judge."""

    folder: str
    """Folder of the world; the paths of datasets, base model and judge point into it."""
    seed: int = 0
    """Seed of the world."""
    vocabulary: Count = 1500
    """Tokens of the byte-level BPE."""
    questions: Count = 40
    """Value-laden raw prompts of each category; factual and off-topic ones come on top."""
    corpus: Count = 12000
    """Texts that the base model is trained on."""
    sft_rows: Count = 3342
    """Rows of each SFT set."""
    preference_rows: Count = 1423
    """Rows of each preference set."""
    heldout: Share = 0.2
    """Share of the claims (by hash) that the judge never sees in training."""
    sharpness: NonNegative = 1.0
    """How far the shares of the topics lie apart: 0 gives every topic the same."""
    base: TinyModelConfig = TinyModelConfig()
    """The base model."""
    judge: TinyModelConfig = Field(default=TinyModelConfig(steps=180, learning_rate=4e-3))
    """The judge."""
    judge_prompt: str = PAPER_PROMPT
    """Prompt that the judge is trained to answer; the paper's Figure 5."""
    judge_short_steps: Count = 300
    """Steps of the judge on shortened prompts, before those on the full one."""


# What single steps read, where that is not the block above.


class RecoveryJob(Closed):
    oracle: str
    judge: str
    runs: list[str]
    corpora: dict[str, str]
    """Run → the corpus whose planted shares it imitates."""
