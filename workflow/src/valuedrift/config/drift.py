"""How values are computed from stances, and drift from values."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Category, Closed, Count, Name, Number


class ValuesConfig(Closed):
    interval: Literal["beta", "t", "normal", "bootstrap"] = "beta"
    """Confidence interval of a mean over prompts: beta, which holds near 0 and 1 and with few prompts too, and which means over
    several seeds always have; Student's t; normal; or percentile bootstrap. The paper does not say which. At 50 prompts of 5
    responses 95% intervals of a share of .02 cover it in 98% (beta) or 72 to 79% (t); of a share of .3 both in 95%, and they are
    equally wide."""
    confidence: Annotated[Number, Field(gt=0, lt=1)] = 0.95
    """Coverage of the interval."""
    resamples: Count = 2000
    """Resamples of the prompts: of bands, of the times of half and 90% of a change, and of the interval `bootstrap`."""

    def at(self, confidence: float) -> "ValuesConfig":
        """Return the same intervals at another confidence."""
        return self.model_copy(update={"confidence": confidence})


DriftReach = Literal["interval", "extremum"]
DriftTotal = Literal["training", "last_checkpoint", "grid"]
Correction = Literal["bh", "holm"]


class DriftConfig(Closed):
    extremum: Literal["direction", "farthest"] = "direction"
    """The extremum that a drift time refers to: the highest value if the stance ends higher than it started, else the lowest
    (direction); or the value farthest from the start (farthest). The paper says "peak (or low point)"."""
    reach: DriftReach = "interval"
    """When a drift time is reached: at the first checkpoint whose value lies within the interval of the extremum, in the paper's
    words (interval); or at the extremum itself (extremum), which fits some of its printed tables (docs/drift-times.md)."""
    reaches: dict[Name, DriftReach] = {}
    """Dataset → when the drift times of its runs are reached, where it is not `reach`."""
    times: Literal["moved", "all"] = "moved"
    """Cells that have drift times in the study's drift: those whose verdict is moved; or all, as in the paper, in whose form a
    trajectory without drift has a time too, most often the first checkpoint."""
    margin: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """Drift magnitude below which a value counts as preserved, and difference below which two are equivalent in a contrast."""
    correction: Correction = "bh"
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
        """Return the settings of a run on a dataset: `total` and `reach` are those of the dataset."""
        own = {"total": self.totals.get(dataset or "", self.total), "reach": self.reaches.get(dataset or "", self.reach)}
        return self.model_copy(update={**own, "totals": {}, "reaches": {}})


Two = Annotated[list[str], Field(min_length=2, max_length=2)]
Of = Literal["value", "drift"]


class ContrastConfig(Closed):
    """A comparison of runs, or of two judges, on the same prompts, second less first, by category and stance. All of its cells are
    corrected together, apart from those of the drift tables and of other contrasts."""

    pairs: Annotated[dict[str, Two], Field(min_length=1)] | None = None
    """Heading → [first run, second run]. They are compared under each seed that both have; intervals take in the seeds' spread."""
    runs: Annotated[dict[str, str], Field(min_length=1)] | None = None
    """Heading → run, where two `judges` of the same responses are compared."""
    judges: Two | None = None
    """[first judge, second judge], of which the first and the second value are."""
    of: Of = "value"
    """What is compared: value, at the runs' last checkpoints; or drift, for runs that start from different ones."""
    judge: Name | None = None
    """Judge whose values are compared; the study's own by default."""
    categories: Annotated[list[Category], Field(min_length=1)] | None = None
    """Categories; all by default."""

    @model_validator(mode="after")
    def _two_sides(self) -> "ContrastConfig":
        if (self.pairs is None) == (self.runs is None) or (self.runs is None) != (self.judges is None):
            raise ValueError("give `pairs` of runs, or `runs` and two `judges`")
        if self.judges and self.judge:
            raise ValueError("give `judge` or `judges`, not both")
        for heading, (first, second) in [*(self.pairs or {}).items(), ("judges", self.judges or ("", " "))]:
            if first == second:
                raise ValueError(f"`{heading}` compares {first} with itself")
        return self

    def sides(self, judge: str) -> dict[str, tuple["Side", "Side"]]:
        """Return heading → what is compared, where `judge` is the study's own."""
        if self.runs and self.judges:
            first, second = self.judges
            return {heading: (Side(run=run, judge=first), Side(run=run, judge=second)) for heading, run in self.runs.items()}
        own = self.judge or judge
        pairs = (self.pairs or {}).items()
        return {heading: (Side(run=first, judge=own), Side(run=second, judge=own)) for heading, (first, second) in pairs}


class DriftJob(Closed):
    """The config of the step that computes one run's drift."""

    values: ValuesConfig
    drift: DriftConfig
    seed: int


class Side(Closed):
    """One of the two that a contrast compares."""

    run: str
    judge: str


class ContrastPair(Closed):
    heading: str
    first: list[Side]
    """Under each seed that both sides have."""
    second: list[Side]


class ContrastJob(Closed):
    """The config of the step that computes one contrast."""

    pairs: list[ContrastPair]
    of: Of
    categories: list[Category]
    values: ValuesConfig
    margin: float
    correction: Correction
    seed: int


class NoiseJob(Closed):
    """The config of the step that compares two samplings of the same checkpoints."""

    judge: str
    children: list[str]
    """Ids of the runs that have a parent; their step 0 is the parent's last checkpoint."""
    values: ValuesConfig
    margin: float
    correction: Correction
    seed: int


class ValuesJob(Closed):
    """The config of the step that computes one run's values."""

    values: ValuesConfig
    seed: int


class PooledValuesJob(ValuesJob):
    """The config of the step that computes the values of a run over its seeds."""

    run: str
    """Id under which they stand in the table."""


class PooledDriftJob(DriftJob):
    """The config of the step that computes the drift of a run over its seeds."""

    run: str
    """Id under which it stands in the table."""
