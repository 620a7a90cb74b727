"""The human check: people label a sample of judged responses, and the judge is compared with them."""

from typing import Annotated

from pydantic import Field

from valuedrift.config.base import OPTIONS, Closed, Count, Name, Number, Stance


class HumanConfig(Closed):
    responses: Count = 100
    """Number of responses to label, spread evenly over categories and the judge's stances."""
    runs: list[str] | None = None
    """Runs whose responses are drawn; all runs by default."""
    labels: list[str] = []
    """CSV files saved by the labelling page, one per person; the target `human_check` compares the judge with them."""
    confidence: Annotated[Number, Field(gt=0, lt=1)] = 0.95
    """Confidence level of the intervals."""
    resamples: Count = 2000
    """Number of bootstrap resamples of the responses."""


class HumanSampleJob(Closed):
    judge: Name
    options: dict[Stance, str] = OPTIONS
    """The judge's options, which people see too."""
    responses: int
    title: str
    seed: int


class HumanCheckJob(Closed):
    judge: Name
    title: str
    confidence: float
    resamples: int
    seed: int
