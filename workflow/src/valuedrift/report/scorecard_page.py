"""The scorecard's page: statistics of agreement, then each printed table with the study's values in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.io.pages import fill
from valuedrift.report.drift_table import TITLES
from valuedrift.report.html_tables import breakable
from valuedrift.report.numbers import MISSING, decimal, percent
from valuedrift.report.scorecard_axis import axis_table
from valuedrift.report.scorecard_printed import MARGIN, decided_table, means_table
from valuedrift.report.scorecard_stats import CHANCE, ONE_CHECKPOINT, ROUNDING, RUN, Agreement, Line
from valuedrift.report.table import Block, Cell, Table, block, number_column, text_column

TEMPLATE = Path(__file__).with_name("scorecard.html.j2")
NAMES = {"sft": "SFT", "ppo": "PPO", "dpo": "DPO", "simpo": "SimPO", "support": "support chosen", "oppose": "oppose chosen"}
STATUSES = ("compared", "not moved", "not measured", "not run")

Row = dict[str, Any]
"""A row of the scorecard's CSV, with `flags`."""
Run = tuple[str, ...]
"""Values of RUN."""
Found = Mapping[tuple[Run, str, str, str, str], "Comparison"]
"""Run, category, benchmark, metric and stance → the cell."""


@dataclass(frozen=True)
class Comparison(Cell):
    """A printed value and the study's, which is the cell's text."""

    paper: str = ""
    verdict: str = ""
    hover: str = ""
    notes: Sequence[int] = ()
    """Numbers of its footnotes."""


def render(cells: pl.DataFrame, statistics: list[Line], unused: int, prompts: int) -> str:
    """Return the page of judged cells with `flags`; `unused` is the number of rules that flag no cell, `prompts` the paper's."""
    reasons = list(dict.fromkeys(reason for flags in cells["flags"] for reason in flags))
    tables = [(str(number), *_printed(rows, reasons)) for (number,), rows in cells.group_by("table", maintain_order=True)]
    drifts = cells.filter(pl.col("benchmark") == "")
    names = {run: " ".join(_label(part) for part in run if part) for run in drifts.select(RUN).unique(maintain_order=True).rows()}
    context = {
        "statuses": [(status, len(cells.filter(pl.col("status") == status))) for status in STATUSES], "cells": len(cells),
        "flagged": len(cells.filter(pl.col("flags").list.len() > 0)), "unused": unused, "reasons": reasons, "tables": tables,
        "statistics": statistics_table(statistics), "means": means_table(drifts, names), "axis": axis_table(drifts),
        "decided": decided_table(drifts), "prompts": prompts, "no_sign": ROUNDING, "one": ONE_CHECKPOINT,
        "chance": percent(CHANCE), "margin": MARGIN, "MISSING": MISSING,
    }  # fmt: skip
    return fill(TEMPLATE, context, breakable=breakable)


def statistics_table(lines: list[Line]) -> Table:
    """Return one row per line: the number of cells, and the agreement over all cells and over those not flagged."""
    rows = [
        [line.table, line.metric, *map(str, (line.cells, line.every.compared, line.flagged)), *_numbers(line.every),
         str(line.sound.compared), *map(percent, (line.sound.within, line.sound.chance))]
        for line in lines
    ]  # fmt: skip
    each = ["same sign", "rank corr.", "mean |diff.|", "± error", "within it", "by chance"]
    sound = ["compared", "within it", "by chance"]
    groups = {"cells": ["printed", "compared", "flagged"], "all compared cells": each, "without the flagged": sound}
    columns = [number_column(group, heading) for group, headings in groups.items() for heading in headings]
    return Table([text_column("table"), text_column("metric"), *columns], [block("", rows)])


def _numbers(found: Agreement) -> list[str]:
    numbers = [decimal(found.rank), decimal(found.difference, 3), decimal(found.error, 3)]
    return [percent(found.sign), *numbers, percent(found.within), percent(found.chance)]


def _printed(rows: pl.DataFrame, reasons: list[str]) -> tuple[str, Table]:
    """Return the title and the printed table: of drift with runs by stances as columns, of scores with benchmarks."""
    runs = rows.select(RUN).unique(maintain_order=True).rows()
    varying = _slowest_first(runs)
    title = ", ".join(_label(value) for i, value in enumerate(runs[0]) if i not in varying and value)
    found = {
        (tuple(cell[name] for name in RUN), cell["category"], cell["benchmark"], cell["metric"], cell["stance"]): _cell(
            cell, reasons
        )
        for cell in rows.iter_rows(named=True)
    }
    return title, (_scores if rows["benchmark"][0] else _drift)(rows, runs, varying, found)


def _scores(rows: pl.DataFrame, runs: list[Run], varying: list[int], found: Found) -> Table:
    benchmarks = rows.select("benchmark", "metric").unique(maintain_order=True).rows()
    names = [" ".join(_label(run[i]) for i in sorted(varying) if run[i]) for run in runs]
    body = [
        [Cell(name), *(found.get((run, "", benchmark, metric, ""), Cell("")) for benchmark, metric in benchmarks)]
        for run, name in zip(runs, names, strict=True)
    ]
    columns = [number_column(benchmark, metric) for benchmark, metric in benchmarks]
    return Table([text_column("Model"), *columns], [Block("score", body)])


def _drift(rows: pl.DataFrame, runs: list[Run], varying: list[int], found: Found) -> Table:
    blocks = []
    for metric in rows["metric"].unique(maintain_order=True):
        categories = rows.filter(pl.col("metric") == metric)["category"].unique(maintain_order=True)
        body = [
            [Cell(category), *(found.get((run, category, "", metric, stance), Cell("")) for run in runs for stance in STANCES)]
            for category in categories
        ]
        blocks.append(Block(TITLES.get(metric, metric), body))
    columns = [number_column(*(_label(run[i]) for i in varying), stance) for run in runs for stance in STANCES]
    return Table([text_column("Category"), *columns], blocks)


def _slowest_first(runs: list[Run]) -> list[int]:
    """Return the positions in RUN at which a table's runs differ, first the one that changes least often from run to run."""
    changes = {i: sum(a[i] != b[i] for a, b in pairwise(runs)) for i in range(len(RUN))}
    return sorted((i for i, count in changes.items() if count), key=lambda i: changes[i])


def _label(value: str) -> str:
    return NAMES.get(value, value)


def _cell(cell: Row, reasons: list[str]) -> Comparison:
    places = 4 if cell["benchmark"] else 2
    notes = [reasons.index(reason) + 1 for reason in cell["flags"]]
    parts = [f"paper {decimal(cell['paper'], places)}"]
    if cell["status"] == "compared":
        interval = f" ({decimal(cell['low'], places)} to {decimal(cell['high'], places)})" if cell["low"] is not None else ""
        parts += [f"ours {decimal(cell['ours'], places)}{interval}", f"difference {decimal(cell['difference'], places)}"]
        if cell["agrees_low"] is not None:
            parts.append(f"agrees from {decimal(cell['agrees_low'], places)} to {decimal(cell['agrees_high'], places)}")
    else:
        parts.append(cell["status"])
    hover = "; ".join(parts) + "".join(f"\n{number}: {reasons[number - 1]}" for number in notes)
    return Comparison(
        decimal(cell["ours"], places), paper=decimal(cell["paper"], places), verdict=cell["verdict"] or "none", hover=hover,
        notes=notes,
    )  # fmt: skip
