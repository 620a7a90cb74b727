"""The page of the judges: for each other judge the agreement, the confusion matrix, what was not scored, and the shifts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import JudgeComparisonJob
from valuedrift.errors import UserError
from valuedrift.io import tables
from valuedrift.io.files import replacing
from valuedrift.io.pages import fill
from valuedrift.io.spreadsheets import write_csv
from valuedrift.report.html_tables import breakable
from valuedrift.report.judge_comparison import JudgeComparison, agreement, compare, to_frame
from valuedrift.report.numbers import MISSING, decimal, percent
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.stats.agreement import Estimate

TEMPLATE = Path(__file__).with_name("judges_page.html.j2")
LARGEST = 15
"""Shifts of each kind that are printed; the CSV has all."""

Estimates = Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Section:
    """The page's section about one judge."""

    judge: str
    common: int
    """Responses that both scored."""
    values: int
    """Values that are compared: stances on a category at a checkpoint."""
    moved: int
    """Values whose shift has an interval that excludes 0."""
    mean: float | None
    largest_value: float | None
    """Mean and largest of the absolute shifts of values."""
    agreement: Table
    confusions: list[tuple[str, Table]]
    """All responses first, then each category."""
    unscored: Table
    by_category: Table
    largest: list[tuple[str, Table]]
    """Title and shifts of values, then of magnitudes."""
    runs: list[tuple[str, str, Table]]
    """Run, its last step and largest shift, and its shifts by category."""


def render(config: JudgeComparisonJob, comparisons: list[JudgeComparison], estimates: Mapping[str, Estimates]) -> str:
    """Return the page as HTML."""
    sections = [_section(config, one, estimates[one.judge]) for one in comparisons]
    context = {"job": config, "sections": sections, "percent": f"{100 * config.values.confidence:g}%", "MISSING": MISSING}
    return fill(TEMPLATE, context, breakable=breakable, decimal=decimal)


def _section(config: JudgeComparisonJob, one: JudgeComparison, estimates: Estimates) -> Section:
    copied = (pl.col("step") == 0) & pl.col("run").is_in(config.children)
    values = one.shifts.filter(pl.col("measure") == "value", pl.col("run") != "", ~copied)
    magnitudes = one.shifts.filter(pl.col("measure") == "magnitude")
    size = pl.col("value").abs()
    mean, largest = values.select(size.mean().alias("mean"), size.max().alias("max")).row(0)
    return Section(
        one.judge, int(one.counts["n"].sum()), len(values), len(values.filter((pl.col("low") > 0) | (pl.col("high") < 0))),
        mean, largest,
        _agreement_table(one.counts, estimates),
        [(category or "All categories", _confusion(_of(one.counts, category), config.judge, one.judge)) for category in estimates],
        _unscored(one.unscored),
        _by_category(config, {"": one.shifts.filter(pl.col("run") == "")}),
        [("values", _largest(values)), ("drift magnitudes", _largest(magnitudes))],
        list(_runs(config, values, magnitudes)),
    )  # fmt: skip


def _of(counts: pl.DataFrame, category: str) -> pl.DataFrame:
    return counts.filter(pl.col("category") == category) if category else counts


def _agreement_table(counts: pl.DataFrame, estimates: Estimates) -> Table:
    rows = []
    for category, found in estimates.items():
        common = _of(counts, category)
        numbers = [str(common["n"].sum()), str(common["prompt_id"].n_unique())]
        rows.append([category or "all", *numbers, *(_number(found[name]) for name in ("agreement", "kappa", "distance"))])
    notes = {f"{name}: {estimate.reason}" for found in estimates.values() for name, estimate in found.items() if estimate.reason}
    columns = map(number_column, ("responses", "prompts", "same stance", "Cohen’s kappa", "distance"))
    return Table([text_column("category"), *columns], [block("", rows)], note="; ".join(sorted(notes)))


def _unscored(counts: pl.DataFrame) -> Table:
    columns = [text_column("judge"), text_column("reason"), number_column("responses")]
    return Table(columns, [block("", [[judge, reason, str(n)] for judge, reason, n in counts.iter_rows()])])


def _confusion(counts: pl.DataFrame, own: str, other: str) -> Table:
    cells = {
        (row["own"], row["other"]): row["n"] for row in counts.group_by("own", "other").agg(pl.col("n").sum()).iter_rows(named=True)
    }
    total = sum(cells.values())
    rows = []
    for number, stance in enumerate(STANCES):
        found = [cells.get((number, at), 0) for at in range(len(STANCES))]
        rows.append([stance, *(f"{n} ({percent(n / total)})" if total else MISSING for n in found), str(sum(found))])
    columns = [text_column(own), *(number_column(other, stance) for stance in STANCES), number_column("sum")]
    return Table(columns, [block("", rows)])


def _by_category(config: JudgeComparisonJob, measures: Mapping[str, pl.DataFrame]) -> Table:
    """Return one row per category, with the stances of each measure as columns; a measure "" has no heading."""
    found = {
        (name, row["category"], row["stance"]): _shift(row) for name, rows in measures.items() for row in rows.iter_rows(named=True)
    }
    keys = [(name, stance) for name in measures for stance in STANCES]
    rows = [[category, *(found.get((name, category, stance), MISSING) for name, stance in keys)] for category in config.categories]
    columns = [number_column(*filter(None, key)) for key in keys]
    return Table([text_column("category"), *columns], [block("", rows)])


def _largest(shifts: pl.DataFrame) -> Table:
    top = shifts.sort(pl.col("value").abs(), descending=True, maintain_order=True, nulls_last=True).head(LARGEST)
    rows = [
        [row["run"], str(row["step"]), row["category"], row["stance"], str(row["n"]), *map(decimal, (row["own"], row["other"])),
         _shift(row)]
        for row in top.iter_rows(named=True)
    ]  # fmt: skip
    note = f"The {len(top)} largest of {len(shifts)}." if len(shifts) > len(top) else ""
    headings = ["run", "step", "category", "stance", "prompts", "own", "other", "shift"]
    columns = [text_column(h) if h in ("run", "category", "stance") else number_column(h) for h in headings]
    return Table(columns, [block("", rows)], note=note)


def _runs(config: JudgeComparisonJob, values: pl.DataFrame, magnitudes: pl.DataFrame) -> Iterator[tuple[str, str, Table]]:
    for run in config.runs:
        own = values.filter(pl.col("run") == run)
        if own.is_empty():
            continue
        last = own.filter(pl.col("step") == own["step"].max())
        largest = last["value"].abs().max()
        summary = f"step {last['step'][0]}, largest shift {decimal(largest)}"  # type: ignore[arg-type]
        measures = {"value at the last checkpoint": last, "drift magnitude": magnitudes.filter(pl.col("run") == run)}
        yield run, summary, _by_category(config, {name: rows for name, rows in measures.items() if len(rows)})


def _shift(row: Mapping[str, float | None]) -> str:
    return _number(Estimate(row["value"], row["low"], row["high"]), signed=True)


def _number(found: Estimate, signed: bool = False) -> str:
    """Return the number with its interval, and with its sign if `signed`."""
    text = decimal(found.value)
    text = f"+{text}" if signed and found.value is not None and float(text) > 0 else text
    return text if found.low is None else f"{text} [{decimal(found.low)}, {decimal(found.high)}]"


def _first(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("run", "judge").head(1)


def run(*, config: JudgeComparisonJob, stances: list[Path], csv: Path, html: Path) -> None:
    """Write the comparison. `stances` are the STANCES tables of every run by every judge, in any order."""
    if not config.judges:
        raise UserError("the study has one judge, so there is nothing to compare; add a second to `judges`")
    # A table without rows does not say which run it is of, and is not needed.
    found = {key: path for path in stances for key in tables.STANCES.query(path, _first).rows()}
    comparisons = [compare(config, judge, found) for judge in config.judges]
    estimates = {one.judge: agreement(one.counts, config) for one in comparisons}
    write_csv(pl.concat([to_frame(one, estimates[one.judge]) for one in comparisons]), csv)
    with replacing(html) as scratch:
        scratch.write_text(render(config, comparisons, estimates), encoding="utf-8")
