"""The whole config of a study."""

from typing import Annotated

from pydantic import Field, model_validator

from valuedrift.config.algorithms import Training
from valuedrift.config.base import Closed, Name, Seed
from valuedrift.config.chat import ChatConfig
from valuedrift.config.cluster import ClusterConfig
from valuedrift.config.data import DatasetConfig, MixtureConfig
from valuedrift.config.downstream import DownstreamConfig
from valuedrift.config.drift import DriftConfig, ValuesConfig
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
    """A study: what is trained on what, how it is measured, and what is shown of it."""

    study: Name
    """Name of the study; its results lie in results/<study>/."""
    description: str = ""
    """A word on the study for the readers of its report."""
    seed: Seed = 0
    """Seed of everything that is drawn."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds under which every run is trained; by default `seed` alone. Prompts, data and responses' seeds are the same."""
    miniature: MiniatureConfig | None = None
    """Settings of the built-in world; only for studies that run on it."""
    models: dict[Name, ModelConfig] = {}
    """Base models by name."""
    external: dict[Name, ExternalConfig] = {}
    """Checkpoints that somebody else trained, by name."""
    datasets: dict[Name, DatasetConfig] = {}
    """SFT sets and preference sets by name."""
    mixtures: dict[Name, MixtureConfig] = {}
    """Value-gap sweeps by name: preference sets mixed from two of the datasets."""
    chats: dict[Name, ChatConfig] = {}
    """Chat models by name, for curation, for synthetic preferences and as judges."""
    training: Training = Training()
    """Hyperparameters of each kind of training; `set` in a block of runs overrides them."""
    runs: list[RunsConfig] = []
    """Which runs there are: each block is a product of names."""
    prompts: PromptsConfig
    """How the evaluation prompts are curated."""
    generation: GenerationConfig = GenerationConfig()
    """How responses are sampled."""
    judges: Annotated[dict[Name, JudgeConfig], Field(min_length=1)]
    """Judges by name; the first is the study's own."""
    judge: Name | None = None
    """The judge that tables, figures and the scorecard show; the first of `judges` by default."""
    human: HumanConfig = HumanConfig()
    """The check of the judge against people."""
    values: ValuesConfig = ValuesConfig()
    """How stances become values."""
    drift: DriftConfig = DriftConfig()
    """How values become drift magnitudes and drift times."""
    synthetic: SyntheticConfig | None = None
    """Preferences with a value gap, written by a chat model: `results/{study}/synthetic/pairs.parquet`, a dataset's `path`."""
    downstream: DownstreamConfig = DownstreamConfig()
    """Benchmarks, for the runs that a table of them shows."""
    tables: dict[Name, TableConfig] = {}
    """Tables by name; drift tables where no `kind` is given."""
    figures: dict[Name, FigureConfig] = {}
    """Stance trajectories by name."""
    scorecard: ScorecardConfig | None = None
    """Printed values that the study's are compared with."""
    style: StyleConfig = StyleConfig()
    """Look of the figures."""
    report: ReportConfig = ReportConfig()
    """Contents of report.html."""
    cluster: ClusterConfig = ClusterConfig()
    """The machines that the study runs on."""
    allow_retrain: bool = False
    """Whether a step that needs a trajectory which `prune` deleted may train it anew; else the study stops and names the price."""

    @model_validator(mode="after")
    def _something_to_measure(self) -> "StudyConfig":
        if not self.models and not self.external:
            raise ValueError("give `models` or `external`: there is nothing to measure")
        if len(set(self.all_seeds)) < len(self.all_seeds):
            raise ValueError("`seeds` names one twice")
        return self

    @property
    def all_seeds(self) -> list[int]:
        """Seeds of the trainings; the first one's runs have the plain names."""
        return self.seeds or [self.seed]
