"""How stances become values, and values drift."""

from typing import Annotated, Literal

from pydantic import Field

from valuedrift.config.base import Closed, Count, Name


class ValuesConfig(Closed):
    interval: Literal["t", "normal", "bootstrap"] = "t"
    """How the interval over prompts is made: Student's t, normal, or percentile bootstrap. The paper does not say."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Coverage of the interval."""
    resamples: Count = 2000
    """Bootstrap resamples of the prompts."""


DriftTotal = Literal["training", "last_checkpoint", "grid"]


class DriftConfig(Closed):
    extremum: Literal["direction", "farthest"] = "direction"
    """Which extremum a drift time refers to: the highest value if the stance ends higher than it began, else the lowest
    (direction), or the value farthest from the start (farthest). The paper says "peak (or low point)"."""
    start_is_candidate: bool = False
    """Whether the starting checkpoint can be the one that reaches the extremum; then times can be 0. In the paper none is."""
    total: DriftTotal = "training"
    """What a drift time is a fraction of: the training's steps (training), those up to the last measured checkpoint
    (last_checkpoint), or those up to the last one on the regular grid, a multiple of the first saved step (grid); a final one off
    the grid is then no candidate. The magnitude is to the last checkpoint, the final model, in any case."""
    totals: dict[Name, DriftTotal] = {}
    """Datasets whose runs' times have another denominator than `total`. The paper's times imply `grid` for WildChat."""

    def of(self, dataset: str | None) -> "DriftConfig":
        """These settings for a run on a dataset, whose own total is then `total`."""
        return self.model_copy(update={"total": self.totals.get(dataset or "", self.total), "totals": {}})


class DriftJob(Closed):
    values: ValuesConfig
    drift: DriftConfig
    seed: int


class ValuesJob(Closed):
    values: ValuesConfig
    seed: int
