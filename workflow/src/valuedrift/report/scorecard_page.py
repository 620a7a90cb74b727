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
from valuedrift.report.scorecard_stats import NO_SIGN, Agreement, Line
from valuedrift.report.table import Block, Cell, Table, block, number_column, text_column

TEMPLATE = Path(__file__).with_name("scorecard.html.j2")
RUN = ["model", "sft_dataset", "phase", "preference_dataset", "chosen"]
NAMES = {"sft": "SFT", "ppo": "PPO", "dpo": "DPO", "simpo": "SimPO", "support": "support chosen", "oppose": "oppose chosen"}
ONE_CHECKPOINT, THREE_CHECKPOINTS = 0.12, 0.35
"""Differences of drift times; on the coarsest of the paper's grids one checkpoint is 0.11 of the training."""
NEAR_SCORE = 0.05
"""Largest difference of a score outside the interval that is still called near."""

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


def render(cells: pl.DataFrame, statistics: list[Line], unused: int) -> str:
    """Return the page of cells with `paper`, `ours`, `status` and `flags`; `unused` is the number of rules that flag no cell."""
    reasons = list(dict.fromkeys(reason for flags in cells["flags"] for reason in flags))
    tables = [(str(number), *_printed(rows, reasons)) for (number,), rows in cells.group_by("table", maintain_order=True)]
    statuses = [(status, len(cells.filter(pl.col("status") == status))) for status in ("compared", "not measured", "not run")]
    context = {
        "statuses": statuses, "cells": len(cells), "flagged": len(cells.filter(pl.col("flags").list.len() > 0)), "unused": unused,
        "reasons": reasons, "tables": tables, "statistics": statistics_table(statistics), "no_sign": NO_SIGN,
        "one": ONE_CHECKPOINT, "three": THREE_CHECKPOINTS, "near": NEAR_SCORE, "MISSING": MISSING,
    }  # fmt: skip
    return fill(TEMPLATE, context, breakable=breakable)


def statistics_table(lines: list[Line]) -> Table:
    """Return one row per line: the number of cells, and the agreement over all cells and over those not flagged."""
    rows = [
        [line.table, line.metric, *map(str, (line.cells, line.every.compared, line.flagged)), *_numbers(line.every),
         str(line.sound.compared), *_numbers(line.sound)]
        for line in lines
    ]  # fmt: skip
    four = ["same sign", "rank corr.", "mean |diff.|", "in interval"]
    groups = {"cells": ["printed", "compared", "flagged"], "all compared cells": four, "without the flagged": ["compared", *four]}
    columns = [number_column(group, heading) for group, headings in groups.items() for heading in headings]
    return Table([text_column("table"), text_column("metric"), *columns], [block("", rows)])


def _numbers(found: Agreement) -> list[str]:
    return [percent(found.sign), decimal(found.rank), decimal(found.difference, 3), percent(found.inside)]


def verdict(cell: Row) -> str:
    """Return agrees, near, differs or none, by the rules that the page prints above its tables."""
    if cell["status"] != "compared":
        return "none"
    if cell["metric"] == "time":
        away = abs(cell["difference"])
        return "agrees" if away <= ONE_CHECKPOINT else "near" if away <= THREE_CHECKPOINTS else "differs"
    if cell["low"] is not None and cell["low"] <= cell["paper"] <= cell["high"]:
        return "agrees"
    if cell["metric"] == "magnitude":
        return "differs" if abs(cell["paper"]) >= NO_SIGN and cell["paper"] * cell["ours"] <= 0 else "near"
    return "near" if abs(cell["difference"]) <= NEAR_SCORE else "differs"


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
    else:
        parts.append(cell["status"])
    hover = "; ".join(parts) + "".join(f"\n{number}: {reasons[number - 1]}" for number in notes)
    return Comparison(
        decimal(cell["ours"], places), paper=decimal(cell["paper"], places), verdict=verdict(cell), hover=hover, notes=notes
    )
