"""Downstream benchmarks, by which lm-eval scores the final models."""

from typing import Annotated

from pydantic import Field

from valuedrift.config.base import Closed, Count, Name
from valuedrift.config.hub import Commit


class TaskConfig(Closed):
    task: str | None = None
    """lm-eval's name of the task or group of tasks; the key by default."""
    metric: str
    """Metric to report, by lm-eval's name: acc, acc_norm, ...; with its filter if it has several (`exact_match,strict-match`)."""
    shots: Annotated[int, Field(ge=0)] = 5
    """Solved examples shown before each question."""
    limit: Count | None = None
    """Largest number of questions per task of a group, for quick trials."""
    data: str | None = None
    """Local file whose rows replace the dataset of lm-eval's task, in every split."""
    revisions: dict[str, Commit] = {}
    """Hub dataset → commit, for the datasets that the task reads; the newest commit by default. datasets.json records them."""


class DownstreamConfig(Closed):
    tasks: dict[Name, TaskConfig] = {}
    """Benchmarks by name."""
    include: str | None = None
    """Folder with your own task files (YAML); they take precedence over lm-eval's."""
    batch_size: Count = 8
    """Sequences per batch."""
    chat: bool = False
    """Use the chat template for models that were trained with one. The paper does not say whether it did; its SFT models score like
    their base models on HellaSwag, where a model continues plain text."""
    seed: int = 1234
    """Seed that draws the examples; the default is lm-eval's."""

    def name_of(self, key: str) -> str:
        """Return lm-eval's name of a benchmark."""
        return self.tasks[key].task or key


# The configs of single steps, where they differ from the blocks above.


class TaskData(Closed):
    task: str
    data: str | None


class DownstreamDataJob(Closed):
    tasks: dict[Name, TaskData]
    include: str | None
    revisions: dict[str, str]


class DownstreamJob(Closed):
    run: str
    dtype: str
    trust_remote_code: bool
    downstream: DownstreamConfig
