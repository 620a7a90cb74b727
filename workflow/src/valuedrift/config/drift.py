"""How values are computed from stances, and drift from values."""

from typing import Annotated, Literal

from pydantic import Field

from valuedrift.config.base import Closed, Count, Name, Number


class ValuesConfig(Closed):
    interval: Literal["beta", "t", "normal", "bootstrap"] = "beta"
    """Confidence interval of a mean over prompts: beta, which holds near 0 and 1 and with few prompts too; Student's t; normal; or
    percentile bootstrap. The paper does not say which. At 50 prompts of 5 responses 95% intervals of a share of .02 cover it in 98%
    (beta) or 72 to 79% (t); of a share of .3 both in 95%, and they are equally wide."""
    confidence: Annotated[Number, Field(gt=0, lt=1)] = 0.95
    """Coverage of the interval."""
    resamples: Count = 2000
    """Resamples of the prompts (bootstrap)."""


DriftTotal = Literal["training", "last_checkpoint", "grid"]


class DriftConfig(Closed):
    extremum: Literal["direction", "farthest"] = "direction"
    """The extremum that a drift time refers to: the highest value if the stance ends higher than it started, else the lowest
    (direction); or the value farthest from the start (farthest). The paper says "peak (or low point)"."""
    reach: Literal["interval", "extremum"] = "interval"
    """When a drift time is reached: at the first checkpoint whose value lies within the interval of the extremum, in the paper's
    words (interval); or at the extremum itself (extremum), which fits some of its printed tables (docs/drift-times.md)."""
    times: Literal["moved", "all"] = "moved"
    """Cells that have drift times in the study's drift: those whose verdict is moved; or all, as in the paper, in whose form a
    trajectory without drift has a time too, most often the first checkpoint."""
    margin: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """Drift magnitude below which a value counts as preserved."""
    correction: Literal["bh", "holm"] = "bh"
    """How p-values are corrected for all cells of the study by one judge: bh bounds the share of false ones among the cells called
    moved (Benjamini and Hochberg 1995), holm the chance that there is any (Holm 1979). The level is 1 - `values.confidence`."""
    start_is_candidate: bool = False
    """Let the starting checkpoint count as the one that reaches the extremum; drift times can then be 0. None in the paper is."""
    total: DriftTotal = "training"
    """The denominator of a drift time: the training's steps (training); the steps up to the last measured checkpoint
    (last_checkpoint); or those up to the last checkpoint whose step is a multiple of the first saved step (grid), where a final
    checkpoint off that grid is not a candidate. A drift magnitude always refers to the last checkpoint, the final model."""
    totals: dict[Name, DriftTotal] = {}
    """Dataset → denominator of its runs' drift times, where it is not `total`. The paper's times imply `grid` for WildChat."""

    def of(self, dataset: str | None) -> "DriftConfig":
        """Return the settings of a run on a dataset: `total` is that of the dataset."""
        return self.model_copy(update={"total": self.totals.get(dataset or "", self.total), "totals": {}})


class DriftJob(Closed):
    """The config of the step that computes one run's drift."""

    values: ValuesConfig
    drift: DriftConfig
    seed: int


class ValuesJob(Closed):
    """The config of the step that computes one run's values."""

    values: ValuesConfig
    seed: int
