"""The report's figures: a config block for each kind, their style, and what each figure step reads."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from valuedrift.config.base import Category, Closed, Count, Name, Rate, Stance
from valuedrift.config.drift import Of


class FigureBlock(Closed):
    """Keys that every kind of figure has."""

    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""
    caption: str = ""
    """Printed below the figure in the report. With several seeds a point is the mean over them with its interval for other
    seeds and prompts, and each single seed is a thin line or a dot."""
    verdicts: bool = True
    """Show at the end of each run whether its drift moved, is preserved, or neither is shown. A verdict is corrected for all drifts
    of the study, so the figure then needs all of it; without verdicts only the runs that it shows are trained for it."""


class TrajectoryFigure(FigureBlock):
    kind: Literal["trajectory"] = "trajectory"
    """Stances over the steps of training, phase by phase from the base model on (the paper's Figures 2-4, 6 and 8-11)."""
    category: Category
    """Category whose stances are drawn."""
    panels: Annotated[dict[str, str], Field(min_length=1)]
    """Heading → run, one panel each; a panel shows the run's whole lineage from the base model on."""
    columns: Count | None = None
    """Panels in a row; by default at most three, and four panels as two by two."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return (heading,) → run, one entry per panel."""
        return {(heading,): run for heading, run in self.panels.items()}


class AblationFigure(FigureBlock):
    kind: Literal["ablation"]
    """One stance at the last checkpoint against a parameter of training, with the parent run's for comparison (Figures 12-14)."""
    parameter: str
    """Key of the runs' training, such as kl, beta or gamma; `share` is the share of a mixture's pairs that have a value gap."""
    categories: Annotated[list[Category], Field(min_length=1)]
    """Categories, one panel each."""
    runs: Annotated[list[str], Field(min_length=1)]
    """Runs with the same parent that differ in nothing but the parameter."""
    stance: Stance = "support"
    """Stance whose probability is drawn."""


class ForestFigure(Closed):
    kind: Literal["forest"]
    """A contrast's differences with their intervals, one panel per pair and one row per category."""
    contrast: Name
    """Name of the contrast, one of `contrasts`."""
    caption: str = ""
    """Printed below the figure in the report."""
    columns: Count | None = None
    """Panels in a row; by default at most three, and four panels as two by two."""


def _figure_kind(block: Any) -> str:
    """Return the kind of a figure, given as a mapping from a file or as a model; trajectory is the default."""
    kind = block.get("kind", "trajectory") if isinstance(block, dict) else getattr(block, "kind", "trajectory")
    return str(kind)


FigureConfig = Annotated[
    Annotated[TrajectoryFigure, Tag("trajectory")]
    | Annotated[AblationFigure, Tag("ablation")]
    | Annotated[ForestFigure, Tag("forest")],
    Discriminator(_figure_kind),
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
    """Width of the page's text in inches; panels that do not fit side by side are drawn narrower."""
    panel_width: Rate = 2.3
    """Width of a panel in inches, where the page is wide enough."""
    panel_height: Rate = 2.2
    """Height of a panel in inches."""
    font_size: Rate = 8
    """Size of the text in points."""
    dpi: Count = 200
    """Resolution of the PNG in dots per inch."""
    bands: bool = True
    """Draw, dotted, the limits that all values of a trajectory keep at once, outside of those that each keeps alone."""
    flagged: bool = True
    """Draw the share of malformed, refused and unscorable responses in all panels of a figure in which it exceeds 1% anywhere."""


# What each step reads, resolved against the study. Lists where the order matters, since a job's JSON has its keys sorted.


class PhaseOfPanel(Closed):
    run: str
    """The phase's run, or what pools its seeds."""
    seeds: list[str] = []
    """The run under each seed, where there are several."""
    label: str
    """Name of the phase on the axis, such as SFT or DPO; empty for an external run, which has none."""


class Panel(Closed):
    heading: str
    base: str
    """Run of the base model; its step 0 is the start of the first phase."""
    phases: list[PhaseOfPanel]


class FigureJob(Closed):
    category: Category
    panels: list[Panel]
    columns: Count | None
    judge: str
    style: StyleConfig


class AblationPoint(Closed):
    value: float
    """Value of the parameter."""
    run: str
    """The run with this value, or what pools its seeds."""
    seeds: list[str] = []
    """The run under each seed, where there are several."""


class AblationJob(Closed):
    parameter: str
    categories: list[Category]
    points: list[AblationPoint]
    parent: str
    """The run that all points start from, or what pools its seeds."""
    stance: Stance
    judge: str
    style: StyleConfig


class ForestJob(Closed):
    of: Of
    margin: float
    columns: Count | None
    style: StyleConfig
