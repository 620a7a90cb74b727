"""The tables that only the report's HTML has: runs, drift, data, curation, provenance and appendices."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from markupsafe import Markup, escape

from valuedrift.config.base import STANCES
from valuedrift.errors import UserError
from valuedrift.io.columns import FLAGS, VERDICTS
from valuedrift.io.files import read_json
from valuedrift.io.manifest import Manifest
from valuedrift.io.spreadsheets import read_csv
from valuedrift.report.numbers import MISSING, decimal, percent
from valuedrift.report.overview import End
from valuedrift.report.provenance import digits, version_sets
from valuedrift.report.table import Column, Table, block, number_column, text_column

MAX_ROWS = 500
"""Rows of an appendix that are printed; who needs more opens the file."""

DATA_COUNTS = ("read", "malformed", "skipped", "duplicates", "kept", "drawn", "train", "validation")


def runs_table(runs: list[str], ends: dict[str, tuple[int, End, End]], manifests: dict[str, Manifest]) -> Table:
    """Return one row per run: steps, checkpoints, mean stances at both ends, shares of flagged responses and mass at the last."""
    columns = [
        text_column("run"), number_column("steps"), number_column("checkpoints"),
        *(number_column("first checkpoint", stance) for stance in STANCES),
        *(number_column("last checkpoint", name) for name in (*STANCES, *FLAGS, "truncated", "mass")),
    ]  # fmt: skip
    rows = []
    for run in runs:
        steps = str(manifests[run].total_steps) if run in manifests else MISSING
        if run not in ends:
            rows.append([run, steps, *[MISSING] * (len(columns) - 2)])
            continue
        count, first, last = ends[run]
        shares = [*(percent(getattr(last, flag)) for flag in (*FLAGS, "truncated")), decimal(last.mass)]
        rows.append([run, steps, str(count), *map(decimal, first.stances), *map(decimal, last.stances), *shares])
    return Table(columns, [block("", rows)])


def mean_drift_table(means: pl.DataFrame) -> Table:
    """Return one row per run of `overview.mean_drift`."""
    rows = [[row[0], *map(decimal, row[1:6]), *map(str, row[6:])] for row in means.iter_rows()]
    magnitudes = [number_column("drift magnitude", stance) for stance in STANCES]
    verdicts = [number_column("stances of categories", verdict) for verdict in VERDICTS]
    return Table(
        [text_column("run"), *magnitudes, number_column("size"), number_column("drift time"), *verdicts], [block("", rows)]
    )


def curation_tables(curation: pl.DataFrame) -> list[Table]:
    """Return the prompts that each step kept of all prompts, and a table of the steps that count by category."""
    overall = curation.filter(pl.col("category") == "all")
    split = curation.filter(pl.col("category") != "all")
    counts = {(row["category"], row["step"]): str(row["prompts"]) for row in split.iter_rows(named=True)}
    steps, categories = (split[name].unique(maintain_order=True).to_list() for name in ("step", "category"))
    by_category = [[category, *(counts.get((category, step), MISSING) for step in steps)] for category in categories]
    by_step = [[row["step"], str(row["prompts"])] for row in overall.iter_rows(named=True)]
    tables = [
        Table([text_column("step"), number_column("prompts")], [block("", by_step)]),
        Table([text_column("category"), *map(number_column, steps)], [block("", by_category)]),
    ]
    return [table for table in tables if not table.empty]


def data_table(counts: list[Path], expected: Mapping[str, Mapping[str, int]]) -> Table:
    """Return one row per `<name>.counts.json`, of the datasets and the raw prompts.

    Columns: rows read, dropped, kept and drawn, and what the paper reports of the dataset, if `expected` has anything.
    """
    rows, first = [], []
    for path in counts:
        name, found = path.name.removesuffix(".counts.json"), read_json(path)
        malformed = sum(number for key, number in found.items() if key.startswith("malformed: "))
        numbers = {**found, "malformed": malformed}
        papers = [expected.get(name, {}).get(split, MISSING) for split in ("train", "validation") if expected]
        rows.append([name, *(str(numbers.get(key, MISSING)) for key in DATA_COUNTS), *map(str, papers)])
        first += [f"{name}: {found['first_malformed']}"] if found.get("first_malformed") else []
    note = f"First malformed row of {'; of '.join(first)}." if first else ""
    headings = [*DATA_COUNTS, *(["paper's train", "paper's validation"] if expected else [])]
    return Table([text_column("source"), *map(number_column, headings)], [block("", rows)], note=note)


def provenance_tables(runs: list[str], manifests: dict[str, Manifest]) -> list[Table]:
    """Return what each run was trained from, and with which versions of libraries."""
    known = {run: manifests[run] for run in runs if run in manifests}
    rows = [
        [run, m.algorithm, *map(_text, (m.parent, m.seed, m.total_steps, digits(m.checkpoints[-1].hash), m.dataset, m.rows)),
         _text(digits(m.data_hash))]
        for run, m in known.items()
    ]  # fmt: skip
    headings = ["run", "algorithm", "parent", "seed", "steps", "weights", "data", "rows", "data hash"]
    columns = [number_column(h) if h in ("seed", "steps", "rows") else text_column(h) for h in headings]
    versions = [[line, ", ".join(trained)] for line, trained in version_sets(known)]
    return [Table(columns, [block("", rows)]), Table([text_column("libraries"), text_column("runs")], [block("", versions)])]


def file_table(path: Path) -> Table:
    """Return the first MAX_ROWS rows of a CSV or Parquet file.

    Numbers with decimals are rounded to three, whole numbers are printed as they are. Raises UserError for a file it cannot read.
    """
    frame = _read(path)
    columns = [_cells(frame[name]) for name in frame.columns]
    rows = [list(row) for row in zip(*(cells for cells, _ in columns), strict=True)][:MAX_ROWS]
    note = f"The first {MAX_ROWS} of {len(frame)} rows of {path}." if len(frame) > MAX_ROWS else ""
    return Table(
        [Column((name,), numeric) for name, (_, numeric) in zip(frame.columns, columns, strict=True)], [block("", rows)], note=note
    )


def breakable(text: str) -> Markup:
    """Return the text, escaped, with a possible line break after each slash: ids of runs are long, screens may be narrow."""
    return Markup("/<wbr>").join(escape(part) for part in text.split("/"))


def _read(path: Path) -> pl.DataFrame:
    try:
        match path.suffix:
            case ".csv":
                return read_csv(path)  # as text: "007" is a name, not a number
            case ".parquet":
                return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"the appendix {path} cannot be read: {error}") from error
    raise UserError(f"the appendix {path} is neither .csv nor .parquet; correct `report.appendices` in the config")


def _cells(column: pl.Series) -> tuple[list[str], bool]:
    """Return the column as text, and whether it is a column of numbers."""
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
