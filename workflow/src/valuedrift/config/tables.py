"""The report's tables: a config block for each kind, and what each table step reads."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from valuedrift.config.base import Category, Closed, Count, Name, Share, Stance
from valuedrift.config.drift import Correction, ValuesConfig

Runs = Annotated[dict[str, str | Annotated[dict[str, str], Field(min_length=1)]], Field(min_length=1)]
"""Heading → run, or heading → (heading → run)."""
Interval = Literal["none", "html", "all"]
Metric = Literal["magnitude", "time", "half", "ninety"]


class TableBlock(Closed):
    """Keys that every kind of table has."""

    caption: str = ""
    """Printed above the table."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, in order; empty where the table shows no runs."""
        return {}


class DriftTable(TableBlock):
    kind: Literal["drift"] = "drift"
    """Drift magnitude and drift time by category and stance (the paper's Tables 1 and 9-16)."""
    columns: Runs
    """Heading → run, or heading → (heading → run), in the order of the columns. With several seeds a cell is the mean over them."""
    metrics: Annotated[list[Metric], Field(min_length=1)] = ["magnitude", "time"]
    """Blocks of rows, in order: the drift's magnitude, its time as the paper defines it, and when half and 90% of the change were
    reached (docs/drift-times.md)."""
    categories: list[Category] | None = None
    """Rows of each block; all categories by default."""
    judge: Name | None = None
    """Judge whose values are shown; the study's first by default."""
    interval: Interval = "html"
    """Where intervals stand under the numbers: in the report's page and in the CSV (html), in Markdown and LaTeX too (all), or
    nowhere (none)."""
    verdicts: bool = True
    """Mark what moved and what is preserved. A verdict is corrected for all drifts of the study, so the table then needs every run
    of it; without verdicts only the runs that it shows are trained for it."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, one entry per group of columns."""
        return _flat(self.columns)


class CategoriesTable(TableBlock):
    kind: Literal["categories"]
    """The categories with the number of prompts that each curation step kept (Table 2)."""


class TopicsTable(TableBlock):
    kind: Literal["topics"]
    """The topic that the judge is asked about, for each category (Table 3)."""


class ValueTextsTable(TableBlock):
    kind: Literal["value_texts"]
    """The two value texts of each category under which synthetic responses are written (Table 7)."""


class SamplesTable(TableBlock):
    kind: Literal["samples"]
    """Responses of several runs' last checkpoints to one prompt (Tables 4-6)."""
    category: Category
    """Category that the prompt is drawn from."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows. With several seeds the first is shown."""
    prompt: str | None = None
    """Text of the prompt. Without it, or where it is not among the category's evaluation prompts, one is drawn with the study's
    seed; the table notes a prompt that was not found."""
    longest: Count = 600
    """Most characters of a response; longer ones are cut at a word and end in [...]."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, one entry per row."""
        return _flat(self.rows)


class PairsTable(TableBlock):
    kind: Literal["pairs"]
    """One pair of a synthetic preference set per category, drawn with the study's seed (Table 8)."""
    dataset: Name
    """Name of the preference set."""
    categories: Annotated[list[Category], Field(min_length=1)]
    """Rows, in order. At the default length about five of them fill a printed page."""
    longest: Count = 400
    """Most characters of a response; longer ones are cut at a word and end in [...]."""


class DownstreamTable(TableBlock):
    kind: Literal["downstream"]
    """Scores on benchmarks with their standard errors (Table 17), and how far each differs from its base model's, question by
    question, where the table shows that too."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows. With several seeds a cell is the mean over
    them ± their standard deviation."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, one entry per row."""
        return _flat(self.rows)


class QualityTable(TableBlock):
    kind: Literal["quality"]
    """Quality of the judged data: shares of flagged and of truncated responses, option mass, and how often the judge changes its
    answer."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the rows. Several seeds are pooled."""
    checkpoints: Literal["ends", "all"] = "ends"
    """Rows of each run: its first and last checkpoint, or all checkpoints."""
    judge: Name | None = None
    """Judge whose answers are described; the study's own by default."""
    categories: list[Category] | None = None
    """Categories whose responses are counted; all by default."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, one entry per group of rows."""
        return _flat(self.rows)


class SensitivityTable(TableBlock):
    kind: Literal["sensitivity"]
    """Drift magnitudes of one stance as reported, and as they would be if responses counted otherwise: flagged ones left out;
    refusals as a fourth class (none of the three stances); unscorable ones at the worst, 0 at one end and 1 at the other; those cut
    at their longest length left out; those with little mass on the options left out. Marks show where the sign changes, or whether
    the interval excludes 0; a note says what other orders of the options do."""
    rows: Runs
    """Heading → run, or heading of a group → (heading → run), in the order of the blocks. With several seeds each has its block."""
    stance: Stance = "support"
    """The stance whose magnitudes are shown."""
    categories: list[Category] | None = None
    """Rows of each block; all categories by default."""
    min_mass: Share = 0.5
    """Least probability on the three options for a response to count, in the last column."""
    judge: Name | None = None
    """Judge whose answers are counted; the study's own by default."""

    def runs(self) -> dict[tuple[str, ...], str]:
        """Return headings → run, one entry per block."""
        return _flat(self.rows)


class ContrastTable(TableBlock):
    kind: Literal["contrast"]
    """A contrast's differences by category, pair and stance, with the verdict of each."""
    contrast: Name
    """Name of the contrast, one of `contrasts`."""
    interval: Interval = "html"
    """Where intervals stand under the numbers, as in a drift table."""


def _flat(runs: Runs) -> dict[tuple[str, ...], str]:
    flat: dict[tuple[str, ...], str] = {}
    for heading, below in runs.items():
        flat |= {(heading, inner): run for inner, run in below.items()} if isinstance(below, dict) else {(heading,): below}
    return flat


def _table_kind(block: Any) -> str:
    """Return the kind of a table, given as a mapping from a file or as a model; drift is the default."""
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
    | Annotated[QualityTable, Tag("quality")]
    | Annotated[SensitivityTable, Tag("sensitivity")]
    | Annotated[ContrastTable, Tag("contrast")],
    Discriminator(_table_kind),
]
TableKind = Literal[
    "drift", "categories", "topics", "value_texts", "samples", "pairs", "downstream", "quality", "sensitivity", "contrast"
]


# What each step reads, resolved against the study. Lists where the order matters, since a job's JSON has its keys sorted.


class ColumnGroup(Closed):
    headings: list[str]
    run: str
    """Id of the run, or of what pools its seeds."""


class DriftTableJob(Closed):
    columns: list[ColumnGroup]
    metrics: list[Metric]
    categories: list[Category]
    judge: str
    caption: str
    interval: Interval
    verdicts: bool
    confidence: float
    margin: float
    correction: Correction
    times: Literal["moved", "all"]


class CategoriesTableJob(Closed):
    categories: list[Category]
    caption: str


class TopicsTableJob(Closed):
    topics: list[tuple[Category, str]]
    """Category and topic, in the order of the rows."""
    caption: str


class ValueTextsTableJob(Closed):
    texts: list[tuple[Category, str, str]]
    """Category, its value text for support and for oppose, in the order of the rows."""
    caption: str


class SampleRow(Closed):
    headings: list[str]
    """Heading of the row, after that of its group if it has one."""
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
    """Heading of the row, after that of its group if it has one."""
    runs: list[str]
    """The run under each of its seeds."""


class DownstreamTableJob(Closed):
    rows: list[ScoreRow]
    tasks: list[str]
    """Names of tasks as in the DOWNSTREAM tables, in the order of the columns."""
    bases: dict[str, str] = {}
    """Run → the base model that it descends from, where the table shows that too."""
    caption: str


class QualityTableJob(Closed):
    rows: list[ScoreRow]
    checkpoints: Literal["ends", "all"]
    categories: list[Category]
    caption: str


class SensitivityTableJob(Closed):
    rows: list[ScoreRow]
    stance: Stance
    categories: list[Category]
    min_mass: float
    values: ValuesConfig
    seed: int
    caption: str


class ContrastTableJob(Closed):
    caption: str
    interval: Interval
    confidence: float
    margin: float
    correction: Correction
