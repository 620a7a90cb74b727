"""The report, its appendices and the page that compares judges."""

from valuedrift.config.base import Category, Closed, Count
from valuedrift.config.drift import ValuesConfig
from valuedrift.config.figures import StyleConfig
from valuedrift.config.tables import TableKind


class AppendixConfig(Closed):
    title: str
    """Heading of the section."""
    table: str
    """Path of a Parquet or CSV file to print, which may be the output of a rule. {study} stands for the study's name."""
    text: str = ""
    """Paragraph above the table."""


class ReportConfig(Closed):
    title: str = ""
    """Title of report.html; the study's name by default."""
    samples: Count = 2
    """Number of prompts whose responses at each run's first and last checkpoint are shown."""
    appendices: list[AppendixConfig] = []
    """Further tables, one section each."""


# What each step reads, resolved against the study. Lists where the order matters, since a job's JSON has its keys sorted.


class ReportJob(Closed):
    study: str
    title: str
    description: str
    seed: int
    samples: int
    judge: str
    """The study's own judge."""
    categories: list[Category]
    runs: list[str]
    """Ids of the runs, parents first."""
    pooled: bool = False
    """Whether runs were trained under several seeds."""
    drifts: list[str]
    """Ids under which the drifts are counted: of the runs, or of what pools a run's seeds."""
    tables: list[tuple[str, TableKind, str]]
    """Name, kind and caption of each table."""
    figures: list[tuple[str, str]]
    """Name and caption of each figure."""
    appendices: list[AppendixConfig]
    expected: dict[str, dict[str, int]] = {}
    """Dataset → split → number of rows that the paper reports."""
    values: ValuesConfig
    algorithms: dict[str, str] = {}
    """Run → name of its training, of the trained ones."""
    margin: float = 0.05
    """Drift below which a value counts as preserved."""
    config: str
    """The study's settings as YAML, for the reader."""


class VerdictsJob(Closed):
    judge: str
    categories: list[Category]
    runs: list[str]
    """Ids of the runs that have drift, parents first."""
    style: StyleConfig


class JudgeComparisonJob(Closed):
    study: str
    judge: str
    """The study's own judge, with which each other one is compared."""
    judges: list[str]
    """The others."""
    categories: list[Category]
    runs: list[str]
    """Ids of the runs, parents first."""
    children: list[str]
    """Ids of the runs that have a parent; their step 0 is the parent's last checkpoint."""
    values: ValuesConfig
    seed: int
