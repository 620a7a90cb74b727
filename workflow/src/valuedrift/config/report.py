"""Tables, figures and the report."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from valuedrift.config.base import Category, Closed, Count, Name, Rate


class TableConfig(Closed):
    columns: Annotated[dict[str, str | Annotated[dict[str, str], Field(min_length=1)]], Field(min_length=1)]
    """Heading → run, or heading → (heading → run), in the order of the columns."""
    metrics: Annotated[list[Literal["magnitude", "time"]], Field(min_length=1)] = ["magnitude", "time"]
    """Blocks of rows, in order."""
    categories: list[Category] | None = None
    """Rows of each block; all categories by default."""
    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""
    caption: str = ""
    """Printed above the table."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Headings → run, one entry a column group."""
        flat: dict[tuple[str, ...], str] = {}
        for heading, below in self.columns.items():
            flat |= {(heading, inner): run for inner, run in below.items()} if isinstance(below, dict) else {(heading,): below}
        return flat


class FigureConfig(Closed):
    category: Category
    """Category whose stances are drawn."""
    panels: Annotated[dict[str, str], Field(min_length=1)]
    """Heading → run, one panel each; a run's panel shows its whole lineage from the base model."""
    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""
    caption: str = ""
    """Printed below the figure in the report."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Heading → run, one entry a panel."""
        return {(heading,): run for heading, run in self.panels.items()}


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
    panel_width: Rate = 2.3
    """Width of a panel, in inches."""
    panel_height: Rate = 2.2
    """Height of a panel, in inches."""
    font_size: Rate = 8
    """Size of the text, in points."""
    dpi: Count = 200
    """Resolution of the PNG."""


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
    run: str


class TableJob(Closed):
    columns: list[ColumnGroup]
    metrics: list[Literal["magnitude", "time"]]
    categories: list[Category]
    judge: str
    caption: str


class PhaseOfPanel(Closed):
    run: str
    label: str
    """How the phase is called on the axis: SFT, PPO, DPO, SimPO."""


class Panel(Closed):
    heading: str
    base: str
    """Run of the base model, whose step 0 is where the first phase begins."""
    phases: list[PhaseOfPanel]


class FigureJob(Closed):
    category: Category
    panels: list[Panel]
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
    tables: list[tuple[str, str]]
    """Name and caption of each table."""
    figures: list[tuple[str, str]]
    """Name and caption of each figure."""
    appendices: list[AppendixConfig]
    config: str
    """The study's settings as YAML, for the reader."""
