"""The scorecard's page: the statistics, then each printed table with the study's values in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.config.base import STANCES
from valuedrift.io.pages import fill
from valuedrift.report.html_tables import Sheet, percent
from valuedrift.report.layout import MISSING, TITLES, decimal
from valuedrift.report.scorecard_stats import NO_SIGN, Agreement, Line

TEMPLATE = Path(__file__).with_name("scorecard.html.j2")
RUN = ["model", "sft_dataset", "phase", "preference_dataset", "chosen"]
NAMES = {name: row.label for name, row in ALGORITHMS.items()} | {"support": "support chosen", "oppose": "oppose chosen"}
ONE_CHECKPOINT, THREE_CHECKPOINTS = 0.12, 0.35
"""Differences of drift times; on the coarsest of the paper's grids a checkpoint is 0.11 of the training."""
NEAR_SCORE = 0.05
"""Difference up to which a score outside the interval is called near."""

Cell = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A cell as it stands on the page; `notes` are the numbers of its footnotes."""

    paper: str
    ours: str
    verdict: str
    hover: str
    notes: list[int]


@dataclass(frozen=True)
class Printed:
    """A printed table. `levels` are headings from the top with their widths; a block is a title and rows of name and cells."""

    table: str
    title: str
    corner: str
    levels: list[list[tuple[str, int]]]
    group: int
    """Columns that belong together."""
    blocks: list[tuple[str, list[tuple[str, list[Shown | None]]]]] = field(default_factory=list)


def render(cells: pl.DataFrame, lines: list[Line], idle: int) -> str:
    """The page of cells with `paper`, `ours`, `status` and `flags`; `idle` is how many rules of faults name no cell."""
    reasons = list(dict.fromkeys(reason for flags in cells["flags"] for reason in flags))
    tables = [_printed(str(table), rows, reasons) for (table,), rows in cells.group_by("table", maintain_order=True)]
    statuses = [(status, len(cells.filter(pl.col("status") == status))) for status in ("compared", "not measured", "not run")]
    context = {
        "statuses": statuses, "cells": len(cells), "flagged": len(cells.filter(pl.col("flags").list.len() > 0)), "idle": idle,
        "reasons": reasons, "tables": tables, "statistics": statistics_sheet(lines), "no_sign": NO_SIGN, "one": ONE_CHECKPOINT,
        "three": THREE_CHECKPOINTS, "near": NEAR_SCORE, "MISSING": MISSING,
    }  # fmt: skip
    return fill(TEMPLATE, context)


def statistics_sheet(lines: list[Line]) -> Sheet:
    """One row a line: how many cells, and the agreement over all and over the sound ones."""
    rows = [
        [line.table, line.metric, *map(str, (line.cells, line.every.compared, line.flagged)), *_numbers(line.every),
         str(line.sound.compared), *_numbers(line.sound)]
        for line in lines
    ]  # fmt: skip
    four = ["same sign", "rank corr.", "mean |diff.|", "in interval"]
    header = ["table", "metric", "printed", "compared", "flagged", *four, "compared", *four]
    return Sheet(
        header, rows, set(range(2, len(header))), [("", 2), ("cells", 3), ("all compared cells", 4), ("without the flagged", 5)]
    )


def _numbers(found: Agreement) -> list[str]:
    return [percent(found.sign), decimal(found.rank), decimal(found.difference, 3), percent(found.inside)]


def verdict(cell: Cell) -> str:
    """agrees, near, differs or none, by what the page says about colours."""
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


def _printed(table: str, rows: pl.DataFrame, reasons: list[str]) -> Printed:
    """The table: drift has categories down and runs by stances across, scores have runs down and benchmarks across."""
    runs = rows.select(RUN).unique(maintain_order=True).rows()
    varying = _slowest_first(runs)
    labels = {run: tuple(_label(run[i]) for i in varying) for run in runs}
    title = ", ".join(_label(value) for i, value in enumerate(runs[0]) if i not in varying and value)
    cells = [(tuple(cell[name] for name in RUN), cell) for cell in rows.iter_rows(named=True)]
    places = {(run, c["category"], c["benchmark"], c["metric"], c["stance"]): _shown(c, reasons) for run, c in cells}
    if rows["benchmark"][0]:
        columns = rows.select("benchmark", "metric").unique(maintain_order=True).rows()
        levels = [[(benchmark, 1) for benchmark, _ in columns], [(metric, 1) for _, metric in columns]]
        names = [(run, " ".join(_label(run[i]) for i in sorted(varying) if run[i])) for run in runs]
        body = [(name, [places.get((run, "", benchmark, metric, "")) for benchmark, metric in columns]) for run, name in names]
        return Printed(table, title, "Model", levels, 1, [("score", body)])
    levels = [_spans([labels[run][: depth + 1] for run in runs for _ in STANCES]) for depth in range(len(varying))]
    levels.append([(stance, 1) for _ in runs for stance in STANCES])
    blocks = []
    for metric in rows["metric"].unique(maintain_order=True):
        categories = rows.filter(pl.col("metric") == metric)["category"].unique(maintain_order=True)
        body = [(c, [places.get((run, c, "", metric, stance)) for run in runs for stance in STANCES]) for c in categories]
        blocks.append((TITLES.get(metric, metric), body))
    return Printed(table, title, "Category", levels, len(STANCES), blocks)


def _slowest_first(runs: list[tuple[str, ...]]) -> list[int]:
    """Positions in RUN at which the runs of a table differ; first that which changes least often from one run to the next."""
    changes = {i: sum(a[i] != b[i] for a, b in pairwise(runs)) for i in range(len(RUN))}
    return sorted((i for i, count in changes.items() if count), key=lambda i: changes[i])


def _spans(headings: Iterable[tuple[str, ...]]) -> list[tuple[str, int]]:
    """Equal neighbours as one heading with its width."""
    spans: list[tuple[tuple[str, ...], int]] = []
    for heading in headings:
        same = bool(spans) and spans[-1][0] == heading
        spans[-1:] = [(heading, spans[-1][1] + 1)] if same else [*spans[-1:], (heading, 1)]
    return [(heading[-1], width) for heading, width in spans]


def _label(value: str) -> str:
    return NAMES.get(value, value)


def _shown(cell: Cell, reasons: list[str]) -> Shown:
    places = 4 if cell["benchmark"] else 2
    notes = [reasons.index(reason) + 1 for reason in cell["flags"]]
    told = [f"paper {decimal(cell['paper'], places)}"]
    if cell["status"] == "compared":
        interval = f" ({decimal(cell['low'], places)} to {decimal(cell['high'], places)})" if cell["low"] is not None else ""
        told += [f"ours {decimal(cell['ours'], places)}{interval}", f"difference {decimal(cell['difference'], places)}"]
    else:
        told.append(cell["status"])
    hover = "; ".join(told) + "".join(f"\n{number}: {reasons[number - 1]}" for number in notes)
    return Shown(decimal(cell["paper"], places), decimal(cell["ours"], places), verdict(cell), hover, notes)
