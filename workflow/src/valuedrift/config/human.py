"""The human check: people label a sample of judged responses, and the judge is compared with them."""

from typing import Annotated

from pydantic import Field

from valuedrift.config.base import OPTIONS, Closed, Count, Name, Stance


class HumanConfig(Closed):
    responses: Count = 100
    """Responses to label, spread over categories and over the stances that the judge gave."""
    runs: list[str] | None = None
    """Runs whose responses are drawn; all by default."""
    labels: list[str] = []
    """CSV files that the labelling page exported, one a person; the target `human_check` compares the judge with them."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Coverage of the intervals."""
    resamples: Count = 2000
    """Bootstrap resamples of the responses."""


class HumanSampleJob(Closed):
    judge: Name
    options: dict[Stance, str] = OPTIONS
    """The judge's own options, which people are shown."""
    responses: int
    title: str
    seed: int


class HumanCheckJob(Closed):
    judge: Name
    title: str
    confidence: float
    resamples: int
    seed: int
