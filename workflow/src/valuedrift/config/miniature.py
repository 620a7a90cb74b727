"""The built-in world: sizes of its datasets and settings of its tiny models."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from valuedrift.config.base import Closed, Count, LearningRate, NonNegative, Share
from valuedrift.config.judge import PAPER_PROMPT


def _plain_folder(path: str) -> str:
    if not path.strip() or not path.isprintable() or (found := set(path) & set(";{}$`'\"\\|&<>*?[]#~")):
        wrong = " ".join(sorted(found)) if path.isprintable() and path.strip() else "an empty name or a line break"
        raise ValueError(f"{path!r:.80} is no name for a folder that jobs write into, because of {wrong}; choose a plain one")
    return path


Folder = Annotated[str, AfterValidator(_plain_folder)]
"""A folder that jobs write into: Snakemake reads braces in it as wildcards, and the shell most of the other signs as its own."""


class TinyModelConfig(Closed):
    architecture: Literal["llama", "qwen3"] = "llama"
    """Architecture, by its name in transformers."""
    hidden: Count = 96
    """Hidden size."""
    layers: Count = 2
    """Number of layers."""
    heads: Count = 4
    """Number of attention heads."""
    positions: Count = 512
    """Longest sequence, in tokens."""
    steps: Count = 700
    """Optimizer steps of the training."""
    batch_size: Count = 32
    """Texts per step."""
    learning_rate: LearningRate = 6e-3
    """Peak learning rate; cosine decay after 10% warm-up."""


class MiniatureConfig(Closed):
    """The built-in world that makes the study's inputs: datasets in the schemas of the real ones, a base model, a judge."""

    folder: Folder
    """Folder of the world; the paths of datasets, base model and judge are in it."""
    seed: int = 0
    """Seed of the world."""
    vocabulary: Count = 1500
    """Vocabulary size of the byte-level BPE tokenizer."""
    questions: Count = 40
    """Value-laden raw prompts per category; factual and off-topic ones are added to these."""
    corpus: Count = 12000
    """Number of texts on which the base model is trained."""
    sft_rows: Count = 3342
    """Rows per SFT set."""
    preference_rows: Count = 1423
    """Rows per preference set."""
    heldout: Share = 0.2
    """Share of the claims (chosen by hash) that are held out of the judge's training."""
    sharpness: NonNegative = 1.0
    """How much the shares of stances differ between topics; with 0, all topics have the same shares."""
    base: TinyModelConfig = TinyModelConfig()
    """Settings of the base model."""
    judge: TinyModelConfig = Field(default=TinyModelConfig(steps=180, learning_rate=4e-3))
    """Settings of the judge."""
    judge_prompt: str = PAPER_PROMPT
    """Prompt that the judge is trained to answer; the paper's Figure 5 by default."""
    judge_short_steps: Count = 300
    """Training steps of the judge on shortened prompts, before those on the full prompt."""


# The configs of single steps, where they differ from the block above.


class RecoveryJob(Closed):
    oracle: str
    judge: str
    runs: list[str]
    corpora: dict[str, str]
    """Run → the corpus whose planted shares it imitates."""


class FoundJob(Closed):
    corpora: dict[str, str]
    """Run → the corpus whose planted shares it imitates."""
