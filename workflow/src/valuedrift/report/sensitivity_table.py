"""The sensitivity table: a row for each run and category, a column for each way to count the responses."""

from collections.abc import Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.tables import SensitivityTableJob
from valuedrift.errors import UserError
from valuedrift.io.tables import ORDERS, STANCES
from valuedrift.report.numbers import MISSING, decimal, interval, number, signed
from valuedrift.report.position_bias import ASKED, position_bias
from valuedrift.report.sensitivity import GAINED, LOST, REPORTED, SIGN, WAYS, sensitivity
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.report.table_files import Rows, write

MARKS = {SIGN: "!", LOST: "?", GAINED: "+"}
HEADINGS = {
    REPORTED: "As\nreported", "flagged": "Flagged\nleft out", "refusals": "Refusals a\nfourth class",
    "unscorable": "Unscorable,\nat the worst", "truncated": "Truncated\nleft out", "mass": "Mass below\n{min_mass} left out",
}  # fmt: skip
SAID = {
    "flagged": "without flagged responses", "refusals": "with refusals as a fourth class",
    "unscorable": "at the worst for unscorable ones", "truncated": "without truncated ones",
    "mass": "without those of a mass below {min_mass}",
}  # fmt: skip
ORDERED = "orders"
"""Variant of the CSV's row on the order of the options, which is of no single run."""


def run(
    *, config: SensitivityTableJob, stances: list[Path], csv: Path, markdown: Path, latex: Path, orders: Path | None = None
) -> None:
    """Write the table. `stances` are those of its runs by one judge, in any order; `orders` is what it said in all orders."""
    found = {}
    for path in stances:  # one table at a time
        rows = STANCES.read_whole(path)
        found[rows["run"][0]] = sensitivity(rows, config)
    named = [(*_names(row.headings, run, len(row.runs) > 1), run) for row in config.rows for run in row.runs]
    if missing := [run for *_, run in named if run not in found]:
        raise UserError(f"the run `{missing[0]}` has no stances: judge it first")
    parts = [found[run].with_columns(group=pl.lit(group), name=pl.lit(name)) for group, name, run in named]
    parts += [_ordered(ORDERS.read(orders), config)] if orders else []
    frame = pl.concat(parts, how="diagonal").with_columns(
        stance=pl.lit(config.stance), min_mass=config.min_mass, confidence=config.values.confidence
    )
    order = ["group", "name", "run", "category", "stance", "variant", "magnitude", "low", "high", "prompts", "responses", "changes"]
    write(frame.select(*order, "min_mass", "confidence"), partial(layout, intervals=False), config.caption, csv, markdown, latex)


def layout(rows: Rows, intervals: bool = True) -> Table:
    """Return the table of the CSV's rows, with or without intervals; raises LookupError or ValueError for rows of another table."""
    least = f"{float(rows[0]['min_mass']):g}"
    columns = [text_column("Category"), *(number_column(heading.format(min_mass=least)) for heading in HEADINGS.values())]
    cells = [row for row in rows if row["variant"] != ORDERED]
    blocks = []
    for title, same in groupby(cells, lambda row: ", ".join(filter(None, (row["group"], row["name"])))):
        by_category: dict[str, dict[str, dict[str, str]]] = {}
        for row in same:
            by_category.setdefault(row["category"], {})[row["variant"]] = row
        blocks.append(
            Block(title, [[Cell(c), *(_cell(found, way, intervals) for way in WAYS)] for c, found in by_category.items()])
        )
    return Table(columns, blocks, block_heading="Run", note=_note(rows, cells, intervals))


def _names(headings: list[str], run: str, several: bool) -> tuple[str, str]:
    """Return the heading of the group and the row's own, with the run where it is one of several seeds."""
    return " ".join(headings[:-1]), f"{headings[-1]} ({run})" if several else headings[-1]


def _ordered(orders: pl.DataFrame, config: SensitivityTableJob) -> pl.DataFrame:
    bias = position_bias(orders, config.values, config.seed)
    shift = bias.shifts[config.stance, ASKED]
    return pl.DataFrame(
        [{"variant": ORDERED, "magnitude": shift.mean, "low": shift.low, "high": shift.high, "responses": bias.scored}],
        schema_overrides={"magnitude": pl.Float64, "low": pl.Float64, "high": pl.Float64, "responses": pl.Int64},
    )


def _cell(found: Mapping[str, dict[str, str]], way: str, intervals: bool) -> Cell:
    """Return the magnitude of a way, or its bounds, with marks and the responses that are left."""
    rows = [found[name] for name in WAYS[way]]
    marks = "".join(MARKS[word] for word in rows[0]["changes"].split())
    magnitudes, lows, highs = zip(*map(_numbers, rows), strict=True)
    if None in magnitudes:
        return Cell(MISSING, marks)
    ends = interval(min(lows), max(highs)) if intervals and None not in (*lows, *highs) else ""
    text = ", ".join(dict.fromkeys(map(decimal, magnitudes)))
    return Cell(text, marks, tuple(filter(None, (ends, f"({rows[0]['responses']})"))))


def _numbers(row: dict[str, str]) -> tuple[Any, Any, Any]:
    """Return a row's magnitude and the ends of its interval; each may be None."""
    magnitude, low, high = (number(row[name]) for name in ("magnitude", "low", "high"))
    return magnitude, low, high


def _note(rows: Rows, cells: Rows, intervals: bool) -> str:
    """Return what changes, what the marks mean, and what is known of other orders of the options."""
    confidence = 100 * float(rows[0]["confidence"])
    return " ".join(
        [
            _summary(cells, rows[0]["stance"], f"{float(rows[0]['min_mass']):g}"),
            f"{MARKS[SIGN]} another sign than reported; {MARKS[LOST]} 0 is no longer excluded; {MARKS[GAINED]} it now is.",
            "In parentheses: responses that are left at both ends.",
            *(
                [f"In brackets: {confidence:.4g}% intervals; at the worst, from the lower bound's to the upper bound's."]
                * intervals
            ),
            *(_on_orders(row) for row in rows if row["variant"] == ORDERED and row["magnitude"]),
        ]
    )


def _summary(cells: Rows, stance: str, least: str) -> str:
    """Return how many magnitudes do not survive another way to count, of those whose interval excludes 0, and of the others."""
    reported = {(row["run"], row["category"]): _numbers(row) for row in cells if row["variant"] == REPORTED}
    clear = {key for key, (_, low, high) in reported.items() if None not in (low, high) and (low > 0 or high < 0)}
    shaken = {way: _changed(cells, way, {SIGN, LOST}) & clear for way in SAID}
    gained = set().union(*(_changed(cells, way, {GAINED}) for way in SAID))
    parts = [f"{len(keys)} {SAID[way].format(min_mass=least)}" for way, keys in shaken.items() if keys]
    return (
        f"{len(clear)} of {len(reported)} magnitudes of {stance} have an interval without 0 as reported; "
        f"{len(set().union(*shaken.values())) or 'none'} of these change their sign or get an interval with 0"
        f"{': ' if parts else ''}{', '.join(parts)}. "
        f"{len(gained) or 'None'} of the {len(reported) - len(clear)} others get an interval without 0 in some column."
    )


def _changed(cells: Rows, way: str, words: set[str]) -> set[tuple[str, str]]:
    """Return run and category of the magnitudes that a way changes so."""
    return {(row["run"], row["category"]) for row in cells if row["variant"] in WAYS[way] and words & set(row["changes"].split())}


def _on_orders(row: dict[str, str]) -> str:
    shift, low, high = _numbers(row)
    return (
        f"Order of the options: on {row['responses']} responses from both ends of all runs the mean probability of {row['stance']} "
        f"in the order asked is {signed(shift)} {interval(low, high)} from that in all six. What both ends share of it cancels "
        "in a magnitude; what it does to a single one cannot be known from so few."
    )
