"""The scorecard: the study's values next to those that the paper prints."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.algorithms import AlgorithmName
from valuedrift.config.base import Closed, Name


class ScorecardConfig(Closed):
    """Files of printed values; config/reference/ has the paper's, and its README.md describes their columns."""

    drift: str | None = None
    """CSV of printed drift magnitudes and drift times."""
    downstream: str | None = None
    """CSV of printed benchmark scores."""
    faults: str | None = None
    """CSV of rules that flag printed cells which contradict the paper itself, with the reason."""
    prompts: Annotated[int, Field(ge=2, le=10**9)] = 50
    """Prompts of a category behind the printed magnitudes, which are printed without errors: theirs are taken to be the study's
    own, as they would be with this number of prompts."""
    models: dict[Name, str] = {}
    """Name of a model in the study → its name in these files, where they differ."""

    @model_validator(mode="after")
    def _something_to_compare_with(self) -> "ScorecardConfig":
        if self.drift is None and self.downstream is None:
            raise ValueError("give `drift` or `downstream`: without one of them there is nothing to compare with")
        return self


# What the step reads, resolved against the study.


class ReferenceRun(Closed):
    """The study's runs that correspond to one run of the paper, and that run's name in the CSVs."""

    runs: Annotated[list[str], Field(min_length=1)]
    """The run under each of its seeds."""
    drift: str
    """Id of its drift: that over its seeds where it has several."""
    model: str
    sft_dataset: str | None = None
    phase: Literal["base"] | AlgorithmName
    preference_dataset: str | None = None
    chosen: str | None = None

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Return model, sft_dataset, phase, preference_dataset and chosen as its cells have them, "" for None."""
        return self.model, self.sft_dataset or "", self.phase, self.preference_dataset or "", self.chosen or ""


class ScorecardJob(Closed):
    drift: str | None
    downstream: str | None
    faults: str | None
    prompts: int = 50
    confidence: float = 0.95
    """Coverage of the study's intervals."""
    judge: str
    """Judge whose values are compared."""
    runs: list[ReferenceRun]

    @model_validator(mode="after")
    def _one_for_each(self) -> "ScorecardJob":
        for key, count in Counter(run.key for run in self.runs).items():
            if count > 1:
                raise ValueError(f"{count} runs stand for the paper's {'/'.join(filter(None, key))}: name one, with its seeds")
        return self
