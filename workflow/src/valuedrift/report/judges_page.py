"""The overlap page: for each other judge the agreement, the confusion, what was not scored, and the shifts, the largest first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import OverlapJob
from valuedrift.errors import UserError
from valuedrift.io.pages import fill
from valuedrift.io.tables import replacing
from valuedrift.report.html_tables import Sheet, breakable, percent
from valuedrift.report.judge_comparison import Overlap, agreement, overlap, to_frame
from valuedrift.report.layout import MISSING, decimal
from valuedrift.stats.agreement import Estimate

TEMPLATE = Path(__file__).with_name("judges_page.html.j2")
LARGEST = 15
"""Shifts of each kind that are shown at once; the CSV has all."""

Estimates = Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Section:
    """What the page says of one judge."""

    judge: str
    common: int
    """Responses that both scored."""
    values: int
    """Stances on a category at a checkpoint."""
    moved: int
    """Those whose shift's interval leaves out 0."""
    mean: float | None
    largest_value: float | None
    """Mean and largest of the absolute shifts of values."""
    agreement: Sheet
    confusions: list[tuple[str, Sheet]]
    """All responses first, then each category."""
    unscored: Sheet
    by_category: Sheet
    largest: list[tuple[str, Sheet]]
    """Title and shifts of values, then of magnitudes."""
    runs: list[tuple[str, str, Sheet]]
    """Run, its last step and largest shift, and its shifts by category."""


def render(config: OverlapJob, overlaps: list[Overlap], estimates: dict[str, dict[str, dict[str, Estimate]]]) -> str:
    """The page, with everything in it."""
    sections = [_section(config, one, estimates[one.judge]) for one in overlaps]
    context = {"job": config, "sections": sections, "percent": f"{100 * config.values.confidence:g}%", "MISSING": MISSING}
    return fill(TEMPLATE, context, breakable=breakable, decimal=decimal)


def _section(config: OverlapJob, one: Overlap, estimates: Estimates) -> Section:
    copied = (pl.col("step") == 0) & pl.col("run").is_in(config.children)
    values = one.shifts.filter(pl.col("measure") == "value", pl.col("run") != "", ~copied)
    magnitudes = one.shifts.filter(pl.col("measure") == "magnitude")
    size = pl.col("value").abs()
    mean, largest = values.select(size.mean().alias("mean"), size.max().alias("max")).row(0)
    return Section(
        one.judge, int(one.counts["n"].sum()), len(values), len(values.filter((pl.col("low") > 0) | (pl.col("high") < 0))),
        mean, largest,
        _agreement_sheet(one.counts, estimates, config),
        [(category or "All categories", _confusion(_of(one.counts, category), config.judge, one.judge)) for category in estimates],
        Sheet(["judge", "reason", "responses"], [[j, r, str(n)] for j, r, n in one.unscored.iter_rows()], {2}),
        _by_category(config, {"": one.shifts.filter(pl.col("run") == "")}),
        [("values", _largest(values)), ("drift magnitudes", _largest(magnitudes))],
        list(_runs(config, values, magnitudes)),
    )  # fmt: skip


def _of(counts: pl.DataFrame, category: str) -> pl.DataFrame:
    return counts.filter(pl.col("category") == category) if category else counts


def _agreement_sheet(counts: pl.DataFrame, estimates: Estimates, config: OverlapJob) -> Sheet:
    rows = []
    for category, found in estimates.items():
        common = _of(counts, category)
        numbers = [str(common["n"].sum()), str(common["prompt_id"].n_unique())]
        rows.append([category or "all", *numbers, *(_told(found[name]) for name in ("agreement", "kappa", "distance"))])
    notes = {f"{name}: {estimate.reason}" for found in estimates.values() for name, estimate in found.items() if estimate.reason}
    header = ["category", "responses", "prompts", "same stance", "Cohen’s kappa", "distance"]
    return Sheet(header, rows, set(range(1, 6)), note="; ".join(sorted(notes)))


def _confusion(counts: pl.DataFrame, own: str, other: str) -> Sheet:
    cells = {
        (row["own"], row["other"]): row["n"] for row in counts.group_by("own", "other").agg(pl.col("n").sum()).iter_rows(named=True)
    }
    total = sum(cells.values())
    rows = []
    for number, stance in enumerate(STANCES):
        found = [cells.get((number, at), 0) for at in range(len(STANCES))]
        rows.append([stance, *(f"{n} ({percent(n / total)})" if total else MISSING for n in found), str(sum(found))])
    return Sheet([own, *STANCES, "sum"], rows, set(range(1, 5)), [("", 1), (other, 3), ("", 1)])


def _by_category(config: OverlapJob, measures: Mapping[str, pl.DataFrame]) -> Sheet:
    """Categories down, the stances of each measure across."""
    found = {
        (name, row["category"], row["stance"]): _shift(row) for name, rows in measures.items() for row in rows.iter_rows(named=True)
    }
    keys = [(name, stance) for name in measures for stance in STANCES]
    rows = [[category, *(found.get((name, category, stance), MISSING) for name, stance in keys)] for category in config.categories]
    groups = [("", 1), *((name, len(STANCES)) for name in measures)] if any(measures) else []
    return Sheet(["category", *(stance for _, stance in keys)], rows, set(range(1, len(keys) + 1)), groups)


def _largest(shifts: pl.DataFrame) -> Sheet:
    top = shifts.sort(pl.col("value").abs(), descending=True, maintain_order=True, nulls_last=True).head(LARGEST)
    rows = [
        [row["run"], str(row["step"]), row["category"], row["stance"], str(row["n"]), *map(decimal, (row["own"], row["other"])),
         _shift(row)]
        for row in top.iter_rows(named=True)
    ]  # fmt: skip
    note = f"The {len(top)} largest of {len(shifts)}." if len(shifts) > len(top) else ""
    return Sheet(["run", "step", "category", "stance", "prompts", "own", "other", "shift"], rows, {1, 4, 5, 6, 7}, note=note)


def _runs(config: OverlapJob, values: pl.DataFrame, magnitudes: pl.DataFrame) -> Iterator[tuple[str, str, Sheet]]:
    for run in config.runs:
        own = values.filter(pl.col("run") == run)
        if own.is_empty():
            continue
        last = own.filter(pl.col("step") == own["step"].max())
        largest = last["value"].abs().max()
        told = f"step {last['step'][0]}, largest shift {decimal(largest)}"  # type: ignore[arg-type]
        measures = {"value at the last checkpoint": last, "drift magnitude": magnitudes.filter(pl.col("run") == run)}
        yield run, told, _by_category(config, {name: rows for name, rows in measures.items() if len(rows)})


def _shift(row: Mapping[str, float | None]) -> str:
    return _told(Estimate(row["value"], row["low"], row["high"]), signed=True)


def _told(found: Estimate, signed: bool = False) -> str:
    """The number with its interval; a shift has its sign."""
    text = decimal(found.value)
    text = f"+{text}" if signed and found.value is not None and float(text) > 0 else text
    return text if found.low is None else f"{text} [{decimal(found.low)}, {decimal(found.high)}]"


def run(*, config: OverlapJob, stances: list[Path], csv: Path, html: Path) -> None:
    """Write the comparison; `stances` are STANCES of every run by every judge, in any order."""
    if not config.judges:
        raise UserError("the study has one judge, so there is nothing to compare: give `judges` a second")
    # A table without rows tells no run and is none's.
    found = {key: path for path in stances for key in pl.read_parquet(path, columns=["run", "judge"], n_rows=1).rows()}
    overlaps = [overlap(config, judge, found) for judge in config.judges]
    estimates = {one.judge: agreement(one.counts, config) for one in overlaps}
    with replacing(csv) as scratch:
        pl.concat([to_frame(one, estimates[one.judge]) for one in overlaps]).write_csv(scratch)
    with replacing(html) as scratch:
        scratch.write_text(render(config, overlaps, estimates), encoding="utf-8")
