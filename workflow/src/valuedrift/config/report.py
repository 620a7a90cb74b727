"""Tables, figures and the report."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from valuedrift.config.base import Category, Closed, Count, Name, Rate, Stance
from valuedrift.config.drift import ValuesConfig

Runs = Annotated[dict[str, str | Annotated[dict[str, str], Field(min_length=1)]], Field(min_length=1)]
"""Heading → run, or heading → (heading → run)."""


class TableBlock(Closed):
    """What every kind of table has."""

    caption: str = ""
    """Printed above the table."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, in order; nothing where the table shows no runs."""
        return {}


class DriftTable(TableBlock):
    kind: Literal["drift"] = "drift"
    """Drift magnitude and drift time by category and stance (the paper's Tables 1 and 9-16)."""
    columns: Runs
    """Heading → run, or heading → (heading → run), in the order of the columns. With several seeds a cell is the mean over them ±
    their standard deviation; the CSV also says how many of them had a value."""
    metrics: Annotated[list[Literal["magnitude", "time"]], Field(min_length=1)] = ["magnitude", "time"]
    """Blocks of rows, in order."""
    categories: list[Category] | None = None
    """Rows of each block; all categories by default."""
    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, one entry a column group."""
        return _flat(self.columns)


class CategoriesTable(TableBlock):
    kind: Literal["categories"]
    """The categories, with how many prompts each step of curation kept (Table 2)."""


class TopicsTable(TableBlock):
    kind: Literal["topics"]
    """The topic that the judge is asked about in each category (Table 3)."""


class ValueTextsTable(TableBlock):
    kind: Literal["value_texts"]
    """The two values of each category that synthetic preferences are written under (Table 7)."""


class SamplesTable(TableBlock):
    kind: Literal["samples"]
    """What the last checkpoints of several runs say to one prompt (Tables 4-6)."""
    category: Category
    """Category that the prompt is drawn from."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows; of several seeds the first is shown."""
    prompt: str | None = None
    """Text of the prompt. Where it is not among the category's evaluation prompts, as by default, one is drawn by the seed; the
    table says so."""
    longest: Count = 600
    """Characters of a response; longer ones are cut at a word and end in [...]."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, one entry a row."""
        return _flat(self.rows)


class PairsTable(TableBlock):
    kind: Literal["pairs"]
    """A pair of a synthetic preference set for each category, drawn by the seed (Table 8)."""
    dataset: Name
    """Name of the preference set."""
    categories: Annotated[list[Category], Field(min_length=1)]
    """Rows, in order. About five of them fill a page of print at the default length."""
    longest: Count = 400
    """Characters of a response; longer ones are cut at a word and end in [...]."""


class DownstreamTable(TableBlock):
    kind: Literal["downstream"]
    """Scores on benchmarks with their standard errors (Table 17)."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows. With several seeds a cell is the mean over
    them ± their standard deviation."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, one entry a row."""
        return _flat(self.rows)


class QualityTable(TableBlock):
    kind: Literal["quality"]
    """How much of what was judged is sound: flagged responses, option mass and the judge's steadiness."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows. Several seeds are taken together."""
    checkpoints: Literal["ends", "all"] = "ends"
    """Rows of each run: its first and last checkpoint, or all."""
    judge: Name | None = None
    """Judge whose answers are described; the study's own by default."""
    categories: list[Category] | None = None
    """Categories whose responses are counted; all by default."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, one entry a group of rows."""
        return _flat(self.rows)


def _flat(runs: Runs) -> dict[tuple[str, ...], str]:
    flat: dict[tuple[str, ...], str] = {}
    for heading, below in runs.items():
        flat |= {(heading, inner): run for inner, run in below.items()} if isinstance(below, dict) else {(heading,): below}
    return flat


def _table_kind(block: Any) -> str:
    """The kind of a table's block, as it stands in a file or as a model; drift where it is not said."""
    kind = block.get("kind", "drift") if isinstance(block, dict) else getattr(block, "kind", "drift")
    return str(kind)


TableConfig = Annotated[
    Annotated[DriftTable, Tag("drift")]
    | Annotated[CategoriesTable, Tag("categories")]
    | Annotated[TopicsTable, Tag("topics")]
    | Annotated[ValueTextsTable, Tag("value_texts")]
    | Annotated[SamplesTable, Tag("samples")]
    | Annotated[PairsTable, Tag("pairs")]
    | Annotated[DownstreamTable, Tag("downstream")]
    | Annotated[QualityTable, Tag("quality")],
    Discriminator(_table_kind),
]
TableKind = Literal["drift", "categories", "topics", "value_texts", "samples", "pairs", "downstream", "quality"]


class FigureBlock(Closed):
    """What every kind of figure has."""

    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""
    caption: str = ""
    """Printed below the figure in the report. With several seeds the points are means over them, and the band is the interval over
    the prompts, its ends averaged over the seeds; each seed itself is a thin line or a dot."""


class TrajectoryFigure(FigureBlock):
    kind: Literal["trajectory"] = "trajectory"
    """Stances over the steps of training, phase by phase from the base model on (the paper's Figures 2-4, 6 and 8-11)."""
    category: Category
    """Category whose stances are drawn."""
    panels: Annotated[dict[str, str], Field(min_length=1)]
    """Heading → run, one panel each; a run's panel shows its whole lineage from the base model."""
    columns: Count | None = None
    """Panels in a row; by default up to three, and four panels two by two."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Heading → run, one entry a panel."""
        return {(heading,): run for heading, run in self.panels.items()}


class AblationFigure(FigureBlock):
    kind: Literal["ablation"]
    """One stance at the last checkpoint against a parameter of training, with the parent run's beside it (Figures 12-14)."""
    parameter: str
    """Key of the runs' training, such as kl, beta or gamma; `share` is the share of a mixture's pairs that have a value gap."""
    categories: Annotated[list[Category], Field(min_length=1)]
    """Categories, one panel each."""
    runs: Annotated[list[str], Field(min_length=1)]
    """Runs of one parent that differ in the parameter."""
    stance: Stance = "support"
    """Stance whose probability is drawn."""


def _figure_kind(block: Any) -> str:
    """The kind of a figure's block, as it stands in a file or as a model; trajectory where it is not said."""
    kind = block.get("kind", "trajectory") if isinstance(block, dict) else getattr(block, "kind", "trajectory")
    return str(kind)


FigureConfig = Annotated[
    Annotated[TrajectoryFigure, Tag("trajectory")] | Annotated[AblationFigure, Tag("ablation")], Discriminator(_figure_kind)
]


Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class ColorsConfig(Closed):
    support: Color = "#1b7837"
    """Colour of support, as #rrggbb."""
    neutral: Color = "#6b6b6b"
    """Colour of neutral."""
    oppose: Color = "#b2182b"
    """Colour of oppose."""


class StyleConfig(Closed):
    colors: ColorsConfig = ColorsConfig()
    """Colour of each stance."""
    page_width: Rate = 5.5
    """Width of the page's text, in inches: panels that do not fit side by side are drawn narrower."""
    panel_width: Rate = 2.3
    """Width of a panel, in inches, where the page is wide enough."""
    panel_height: Rate = 2.2
    """Height of a panel, in inches."""
    font_size: Rate = 8
    """Size of the text, in points."""
    dpi: Count = 200
    """Resolution of the PNG."""
    flagged: bool = True
    """Draw the share of malformed, refused and unscorable responses into a figure's trajectories where it exceeds 1% in one."""


class AppendixConfig(Closed):
    title: str
    """Heading of the section."""
    table: str
    """Parquet or CSV table that is printed; any file, also one that a rule makes. {study} stands for the study's name."""
    text: str = ""
    """Paragraph above the table."""


class ReportConfig(Closed):
    title: str = ""
    """Title of report.html; the study's name by default."""
    samples: Count = 2
    """Prompts whose responses at the first and last checkpoint are shown, for each run."""
    appendices: list[AppendixConfig] = []
    """Further tables."""


# What single steps read: resolved against the study, with lists where order matters, since their JSON has its keys sorted.


class ColumnGroup(Closed):
    headings: list[str]
    runs: list[str]
    """The run under each of its seeds."""


class TableJob(Closed):
    columns: list[ColumnGroup]
    metrics: list[Literal["magnitude", "time"]]
    categories: list[Category]
    judge: str
    caption: str


class CategoriesTableJob(Closed):
    categories: list[Category]
    caption: str


class TopicsTableJob(Closed):
    topics: list[tuple[Category, str]]
    """Category and topic, in the order of the rows."""
    caption: str


class ValueTextsTableJob(Closed):
    texts: list[tuple[Category, str, str]]
    """Category, value of the supporting and of the opposing side, in the order of the rows."""
    caption: str


class SampleRow(Closed):
    headings: list[str]
    """The row's own, after that of its group if it is in one."""
    run: str


class SamplesTableJob(Closed):
    category: Category
    rows: list[SampleRow]
    prompt: str | None
    longest: int
    seed: int
    caption: str


class PairsTableJob(Closed):
    categories: list[Category]
    longest: int
    max_malformed: float
    seed: int
    caption: str


class ScoreRow(Closed):
    headings: list[str]
    """The row's own, after that of its group if it is in one."""
    runs: list[str]
    """The run under each of its seeds."""


class DownstreamTableJob(Closed):
    rows: list[ScoreRow]
    tasks: list[str]
    """Tasks as the DOWNSTREAM tables call them, in the order of the columns."""
    caption: str


class QualityTableJob(Closed):
    rows: list[ScoreRow]
    checkpoints: Literal["ends", "all"]
    categories: list[Category]
    caption: str


class OverlapJob(Closed):
    study: str
    judge: str
    """The study's own judge, which every other one is compared with."""
    judges: list[str]
    """The others."""
    categories: list[Category]
    runs: list[str]
    """Ids of the runs, parents first."""
    children: list[str]
    """Those that have a parent, whose last checkpoint is their step 0."""
    values: ValuesConfig
    seed: int


class PhaseOfPanel(Closed):
    runs: list[str]
    """The phase under each seed; one run where there is one seed."""
    label: str
    """How the phase is called on the axis: SFT, PPO, DPO, SimPO; empty where it has no name, as for an external run."""


class Panel(Closed):
    heading: str
    base: str
    """Run of the base model, whose step 0 is where the first phase begins."""
    phases: list[PhaseOfPanel]


class FigureJob(Closed):
    category: Category
    panels: list[Panel]
    columns: Count | None
    judge: str
    style: StyleConfig


class AblationPoint(Closed):
    value: float
    """The parameter's value."""
    runs: list[str]
    """The run with this value under each seed."""


class AblationJob(Closed):
    parameter: str
    categories: list[Category]
    points: list[AblationPoint]
    parent: list[str]
    """The run that they all start from, under each seed."""
    stance: Stance
    judge: str
    style: StyleConfig


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
    tables: list[tuple[str, TableKind, str]]
    """Name, kind and caption of each table."""
    figures: list[tuple[str, str]]
    """Name and caption of each figure."""
    appendices: list[AppendixConfig]
    expected: dict[str, dict[str, int]] = {}
    """Dataset → split → rows that the paper reports."""
    config: str
    """The study's settings as YAML, for the reader."""
