"""The root of a study's config."""

from typing import Annotated

from pydantic import Field, model_validator

from valuedrift.config.algorithms import Training
from valuedrift.config.base import Closed, Name, Seed
from valuedrift.config.chat import ChatConfig
from valuedrift.config.cluster import ClusterConfig
from valuedrift.config.data import DatasetConfig, MixtureConfig
from valuedrift.config.downstream import DownstreamConfig
from valuedrift.config.drift import ContrastConfig, DriftConfig, ValuesConfig
from valuedrift.config.figures import FigureConfig, StyleConfig
from valuedrift.config.generate import GenerationConfig
from valuedrift.config.human import HumanConfig
from valuedrift.config.judge import JudgeConfig
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.config.models import ExternalConfig, ModelConfig
from valuedrift.config.prompts import PromptsConfig
from valuedrift.config.report import ReportConfig
from valuedrift.config.runs import RunsConfig
from valuedrift.config.scorecard import ScorecardConfig
from valuedrift.config.synthetic import SyntheticConfig
from valuedrift.config.tables import TableConfig


class StudyConfig(Closed):
    """A study: which models are trained on which data, how they are measured, and what is shown."""

    study: Name
    """Name of the study; its results are written to results/<study>/."""
    description: str = ""
    """A sentence or two on the study, shown at the top of its report."""
    seed: Seed = 0
    """Seed of everything that is sampled; responses can have their own, `generation.seed`."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds with which every run is trained; `seed` alone by default. Prompts and data stay the same; the
    responses of each further seed are drawn with chance of their own."""
    miniature: MiniatureConfig | None = None
    """Settings of the built-in miniature world; only for studies that run on it."""
    models: dict[Name, ModelConfig] = {}
    """Base models by name."""
    external: dict[Name, ExternalConfig] = {}
    """Checkpoints that somebody else trained, by name; they are measured, not trained."""
    datasets: dict[Name, DatasetConfig] = {}
    """SFT sets and preference sets by name."""
    mixtures: dict[Name, MixtureConfig] = {}
    """Value-gap sweeps by name: preference sets mixed from two of the datasets."""
    chats: dict[Name, ChatConfig] = {}
    """Chat models by name: for curating prompts, for writing synthetic preferences, and as judges."""
    training: Training = Training()
    """Hyperparameters of each kind of training; `set` in a block of `runs` overrides them."""
    runs: list[RunsConfig] = []
    """The runs: each block makes one for every combination of the names that it lists."""
    prompts: PromptsConfig
    """How the evaluation prompts are curated."""
    generation: GenerationConfig = GenerationConfig()
    """How responses are sampled."""
    judges: Annotated[dict[Name, JudgeConfig], Field(min_length=1)]
    """Judges by name."""
    judge: Name | None = None
    """The judge whose numbers tables, figures and the scorecard show; the first of `judges` by default."""
    human: HumanConfig = HumanConfig()
    """How the judge is compared with people's labels."""
    values: ValuesConfig = ValuesConfig()
    """How values are computed from stances."""
    drift: DriftConfig = DriftConfig()
    """How drift magnitudes and drift times are computed from values."""
    contrasts: dict[Name, ContrastConfig] = {}
    """Comparisons of runs, or of judges, by name; tables of the kind `contrast` and figures of the kind `forest` show them."""
    synthetic: SyntheticConfig | None = None
    """Preference pairs with a value gap, written by a chat model to `results/{study}/synthetic/pairs.parquet`, which the `path` of
    a dataset can name."""
    downstream: DownstreamConfig = DownstreamConfig()
    """Benchmarks, which are run on the models that a table of the kind `downstream` shows."""
    tables: dict[Name, TableConfig] = {}
    """Tables by name; a table without a `kind` is a drift table."""
    figures: dict[Name, FigureConfig] = {}
    """Figures of stance trajectories, by name."""
    scorecard: ScorecardConfig | None = None
    """Published values with which the study's are compared."""
    style: StyleConfig = StyleConfig()
    """Appearance of the figures."""
    report: ReportConfig = ReportConfig()
    """Content of report.html."""
    cluster: ClusterConfig = ClusterConfig()
    """The machines on which the study runs."""
    allow_retrain: bool = False
    """Train a run again if a step needs its trajectory and `prune` has deleted it; otherwise the study stops before any job and
    says what that training costs."""

    @model_validator(mode="after")
    def _something_to_measure(self) -> "StudyConfig":
        if not self.models and not self.external:
            raise ValueError("give `models` or `external`: there is nothing to measure")
        if len(set(self.all_seeds)) < len(self.all_seeds):
            raise ValueError("`seeds` has a seed twice: name each once")
        return self

    @property
    def all_seeds(self) -> list[int]:
        """Return the seeds with which runs are trained; the runs of the first one have no seed in their names."""
        return self.seeds or [self.seed]
