"""The report's plain tables, as text: what stands in each cell is decided here, how it looks in the template."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from markupsafe import Markup, escape

from valuedrift.config.base import STANCES
from valuedrift.errors import UserError
from valuedrift.report.layout import MISSING, decimal
from valuedrift.report.overview import End
from valuedrift.report.provenance import Manifest, version_sets
from valuedrift.report.seeds import FLAGS

MAX_ROWS = 500
"""Rows of an appendix that are printed: beyond that a reader wants the file, not a page."""

DATA_COUNTS = ("read", "malformed", "skipped", "duplicates", "kept", "drawn", "train", "validation")

PROSE = 60
"""Characters of a cell from which it counts as prose."""


@dataclass(frozen=True)
class Sheet:
    """A table of text. `groups` are headings over several columns, with their widths; `numeric` columns are aligned right."""

    header: list[str]
    rows: list[list[str]]
    numeric: set[int] = field(default_factory=set)
    groups: list[tuple[str, int]] = field(default_factory=list)
    note: str = ""

    @property
    def long(self) -> bool:
        """Whether there is prose in it, whose cells must not shrink to a word a line."""
        return any(len(cell) > PROSE for row in self.rows for cell in row)


def runs_sheet(runs: list[str], ends: dict[str, tuple[int, End, End]], manifests: dict[str, Manifest]) -> Sheet:
    """One row a run: steps, checkpoints, mean stances at both ends, and what could not be trusted at the last one."""
    rows = []
    for run in runs:
        steps = str(manifests[run].total_steps) if run in manifests else MISSING
        if run not in ends:
            rows.append([run, steps, *[MISSING] * 11])
            continue
        count, first, last = ends[run]
        shares = [*(percent(getattr(last, flag)) for flag in FLAGS), decimal(last.mass)]
        rows.append([run, steps, str(count), *map(decimal, first.stances), *map(decimal, last.stances), *shares])
    groups = [("", 3), ("first checkpoint", 3), ("last checkpoint", 7)]
    header = ["run", "steps", "checkpoints", *STANCES, *STANCES, *FLAGS, "mass"]
    return Sheet(header, rows, set(range(1, len(header))), groups)


def drift_sheet(means: pl.DataFrame) -> Sheet:
    """Mean drift of each run, from `overview.mean_drift`."""
    rows = [[run, *map(decimal, numbers)] for run, *numbers in means.iter_rows()]
    return Sheet(["run", *STANCES, "drift time"], rows, {1, 2, 3, 4}, [("", 1), ("drift magnitude", 3), ("", 1)])


def curation_sheets(curation: pl.DataFrame) -> list[Sheet]:
    """The funnel over all prompts, and a table of the steps that count by category."""
    overall = curation.filter(pl.col("category") == "all")
    split = curation.filter(pl.col("category") != "all")
    counts = {(row["category"], row["step"]): str(row["prompts"]) for row in split.iter_rows(named=True)}
    steps, categories = (split[name].unique(maintain_order=True).to_list() for name in ("step", "category"))
    by_category = [[category, *(counts.get((category, step), MISSING) for step in steps)] for category in categories]
    funnel = [[row["step"], str(row["prompts"])] for row in overall.iter_rows(named=True)]
    sheets = [Sheet(["step", "prompts"], funnel, {1}), Sheet(["category", *steps], by_category, set(range(1, len(steps) + 1)))]
    return [sheet for sheet in sheets if sheet.rows]


def data_sheet(counts: list[Path], expected: Mapping[str, Mapping[str, int]]) -> Sheet:
    """What was read and dropped of each dataset and of the raw prompts, from their `<name>.counts.json`, and what is expected."""
    rows, first = [], []
    for path in counts:
        name, found = path.name.removesuffix(".counts.json"), json.loads(path.read_text())
        malformed = sum(number for key, number in found.items() if key.startswith("malformed: "))
        numbers = {**found, "malformed": malformed}
        told = [expected.get(name, {}).get(split, MISSING) for split in ("train", "validation") if expected]
        rows.append([name, *(str(numbers.get(key, MISSING)) for key in DATA_COUNTS), *map(str, told)])
        first += [f"{name}: {found['first_malformed']}"] if found.get("first_malformed") else []
    note = f"The first malformed row of {'; of '.join(first)}." if first else ""
    header = [*DATA_COUNTS, *(["paper's train", "paper's validation"] if expected else [])]
    return Sheet(["source", *header], rows, set(range(1, len(header) + 1)), note=note)


def provenance_sheets(runs: list[str], manifests: dict[str, Manifest]) -> list[Sheet]:
    """What each run was trained from, and by which libraries."""
    known = {run: manifests[run] for run in runs if run in manifests}
    rows = [
        [run, m.algorithm, *map(_text, (m.parent, m.seed, m.total_steps, m.weights, m.dataset, m.rows, m.data))]
        for run, m in known.items()
    ]
    header = ["run", "algorithm", "parent", "seed", "steps", "weights", "data", "rows", "data hash"]
    versions = [[line, ", ".join(trained)] for line, trained in version_sets(known)]
    return [Sheet(header, rows, {3, 4, 7}), Sheet(["libraries", "runs"], versions)]


def file_sheet(path: Path) -> Sheet:
    """A CSV or Parquet file; numbers with decimals are rounded to three, whole ones stay as they are written."""
    frame = _read(path)
    columns = [_cells(frame[name]) for name in frame.columns]
    rows = [list(row) for row in zip(*(cells for cells, _ in columns), strict=True)][:MAX_ROWS]
    note = f"The first {MAX_ROWS} of {len(frame)} rows of {path}." if len(frame) > MAX_ROWS else ""
    return Sheet(frame.columns, rows, {number for number, (_, numeric) in enumerate(columns) if numeric}, note=note)


def percent(share: float | None) -> str:
    """A share in percent with one decimal."""
    return MISSING if share is None else f"{decimal(100 * share, 1)}%"


def breakable(text: str) -> Markup:
    """The text, escaped, with leave to break a line after a slash: ids of runs are long, screens may be narrow."""
    return Markup("/<wbr>").join(escape(part) for part in text.split("/"))


def _read(path: Path) -> pl.DataFrame:
    try:
        match path.suffix:
            case ".csv":
                return pl.read_csv(path, infer_schema=False)  # as text: "007" is a name, not a number
            case ".parquet":
                return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"the appendix {path} cannot be read: {error}") from error
    raise UserError(f"the appendix {path} is neither .csv nor .parquet; mend `report.appendices` in the config")


def _cells(column: pl.Series) -> tuple[list[str], bool]:
    """The column as text, and whether it is of numbers."""
    values = column.to_list()
    if column.dtype.is_numeric():
        rounded = column.dtype.is_float() or column.dtype.is_decimal()
        return [decimal(value, 3) if rounded else _text(value) for value in values], True
    if column.dtype != pl.String:
        return [_text(value) for value in values], False
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > column.null_count() or column.null_count() == len(column):
        return [_text(value) for value in values], False
    fractions = any("." in value or "e" in value.lower() for value in values if value)
    return [decimal(number, 3) for number in numbers] if fractions else [_text(value) for value in values], True


def _text(value: object) -> str:
    return MISSING if value is None else str(value)
