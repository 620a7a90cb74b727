"""Quality of the judged data at checkpoints of runs: flagged responses, option mass and how often the judge changes its answer."""

from collections.abc import Callable
from itertools import groupby, zip_longest
from pathlib import Path
from statistics import fmean

import polars as pl

from valuedrift.config.tables import QualityTableJob
from valuedrift.errors import UserError
from valuedrift.io.columns import FLAGS
from valuedrift.io.tables import STANCES
from valuedrift.report.numbers import decimal, percent
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.report.table_files import Rows, write

NUMBERS: dict[str, tuple[str, Callable[[float | None], str]]] = {
    **{flag: (flag.capitalize(), percent) for flag in (*FLAGS, "truncated")},
    "mass": ("Option mass\n(mean)", lambda mass: decimal(mass, 3)),
    "bound": ("Not returned\n(at most)", lambda bound: decimal(bound, 3)),
    "flips": ("Flips", percent),
}
"""Column of the CSV → its heading and the format of its numbers."""


def run(*, config: QualityTableJob, stances: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table. `stances` are those of its runs by one judge, in any order; the CSV has one row per run and checkpoint."""
    measured = pl.concat([quality(STANCES.read(path), config.categories) for path in stances])
    if config.checkpoints == "ends":
        step = pl.col("step")
        measured = measured.filter((step == step.min().over("run")) | (step == step.max().over("run")))
    asked = pl.DataFrame(
        [(" ".join(row.headings[:-1]), row.headings[-1], run) for row in config.rows for run in row.runs],
        schema=["group", "name", "run"], orient="row",
    )  # fmt: skip
    if not (missing := asked.join(measured, on="run", how="anti")).is_empty():
        raise UserError(f"the run `{missing['run'][0]}` has no stances on {', '.join(config.categories)}: judge it first")
    frame = asked.join(measured, on="run", how="left", maintain_order="left_right")
    write(frame, layout, config.caption, csv, markdown, latex)


def quality(stances: pl.DataFrame, categories: list[str]) -> pl.DataFrame:
    """Return run, step, number of responses and NUMBERS, one row per checkpoint of a STANCES table.

    Flags are shares of the responses; mass and flips are means and bound is the maximum, over the responses that have one.
    """
    rows = stances.filter(pl.col("category").is_in(categories)).group_by("run", "step")
    found = rows.agg(
        *(pl.col("status").str.starts_with(f"{flag}:").mean().alias(flag) for flag in FLAGS),
        pl.col("truncated").mean(), pl.col("mass").sort().mean(), pl.col("bound").max(), pl.col("flips").sort().mean(),
        responses=pl.len(),
    )  # fmt: skip
    return found.select("run", "step", "responses", *NUMBERS).sort("run", "step")


def layout(rows: Rows) -> Table:
    """Return the table of the CSV's rows; the seeds of a row are pooled."""
    heads = [heading for heading, _ in NUMBERS.values()]
    columns = [text_column("Model"), *(number_column(heading) for heading in ("Step", "Responses", *heads))]
    return Table(columns, [block(group, _model_rows(list(same))) for group, same in groupby(rows, lambda row: row["group"])])


def _model_rows(rows: Rows) -> list[list[str]]:
    """Return one row per model and checkpoint; the model's name is printed in its first."""
    found = []
    for name, same in groupby(rows, lambda row: row["name"]):
        runs = [list(checkpoints) for _, checkpoints in groupby(same, lambda row: row["run"])]
        for number, checkpoints in enumerate(zip_longest(*runs)):
            seeds = [row for row in checkpoints if row]
            steps = "–".join(dict.fromkeys(sorted((row["step"] for row in seeds), key=int)))
            responses = sum(int(row["responses"]) for row in seeds)
            numbers = [written(_over_seeds(key, seeds)) for key, (_, written) in NUMBERS.items()]
            found.append(["" if number else name, steps, str(responses), *numbers])
    return found


def _over_seeds(key: str, seeds: Rows) -> float | None:
    known = [float(row[key]) for row in seeds if row[key]]
    return (max(known) if key == "bound" else fmean(known)) if known else None
