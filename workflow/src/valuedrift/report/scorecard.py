"""The scorecard: every value that the paper prints next to the study's, as a CSV of cells and one HTML page."""

from collections.abc import Iterable
from math import isfinite
from pathlib import Path

import polars as pl

from valuedrift.config.scorecard import ReferenceRun, ScorecardJob
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.spreadsheets import write_csv
from valuedrift.io.tables import DOWNSTREAM, DRIFT
from valuedrift.report.scorecard_axis import directed
from valuedrift.report.scorecard_page import render
from valuedrift.report.scorecard_stats import NORMAL, RUN, judged, lines

DRIFT_CELL = ["table", *RUN, "category", "metric", "stance"]
SCORE_CELL = ["table", *RUN, "benchmark", "metric", "shots"]
CELL = ["table", *RUN, "category", "benchmark", "metric", "shots", "stance"]
OURS = [name for name in CELL if name != "table"]
MEASURED = ["ours", "low", "high", "stderr", "prompts", "moved", "seeds"]
COLUMNS = [
    *CELL, "paper", "ours", "low", "high", "difference", "agrees_low", "agrees_high", "seeds", "status", "verdict",
    "direction_paper", "direction", "flag",
]  # fmt: skip


def run(*, config: ScorecardJob, drift: Path, downstream: list[Path], csv: Path, html: Path) -> None:
    """Write every printed value with the study's, the difference, the status and the reasons of its flags, and the page."""
    scores = pl.concat([DOWNSTREAM.frame([]), *(DOWNSTREAM.read(path) for path in downstream)])
    ours = pl.concat([_drift(DRIFT.read(drift), config), _downstream(scores, config)])
    cells = directed(judged(_compared(_printed(config), ours, config.runs), config.prompts, config.confidence))
    cells, unused = _flagged(cells, config.faults)
    write_csv(cells.with_columns(flag=pl.col("flags").list.join(" ")).select(COLUMNS), csv)
    with replacing(html) as scratch:
        scratch.write_text(render(cells, list(lines(cells)), unused, config.prompts), encoding="utf-8")


def _printed(config: ScorecardJob) -> pl.DataFrame:
    """Return CELL, paper and paper_stderr of every printed value, by number of its table, then in the order of the files."""
    frames = [pl.DataFrame(schema=dict.fromkeys(CELL, pl.String) | {"paper": pl.Float64, "paper_stderr": pl.Float64})]
    for path, key in ((config.drift, DRIFT_CELL), (config.downstream, SCORE_CELL)):
        if path is not None:
            rows = _read(path, [*key, "value"])
            if rows.select(key).is_duplicated().any():
                raise UserError(f"{path}: two rows are the same cell ({', '.join(key)}); give each once")
            numbers: dict[str, pl.Series | pl.Expr] = {
                "paper": _number(rows["value"], path),
                "paper_stderr": pl.lit(None, pl.Float64),
            }
            if "stderr" in rows.columns:
                numbers["paper_stderr"] = _number(rows["stderr"], path)
            frames.append(rows.select(*(pl.col(name) if name in key else pl.lit("").alias(name) for name in CELL), **numbers))
    return pl.concat(frames).sort(pl.col("table").cast(pl.Int64, strict=False), nulls_last=True, maintain_order=True)


def _read(path: str, needed: list[str]) -> pl.DataFrame:
    """Return the CSV as text, with "" for missing values; raises UserError if a needed column is missing."""
    try:
        frame = pl.read_csv(path, infer_schema=False).fill_null("")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if missing := [name for name in needed if name not in frame.columns]:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}; config/reference/README.md describes them")
    return frame


def _number(column: pl.Series, path: str) -> pl.Series:
    numbers = column.cast(pl.Float64, strict=False)
    if wrong := [text for text, number in zip(column, numbers, strict=True) if number is None or not isfinite(number)]:
        raise UserError(f"{path}: the {column.name} {wrong[0]!r} is not a number")
    return numbers


def _drift(drift: pl.DataFrame, config: ScorecardJob) -> pl.DataFrame:
    """Return RUN, CELL's further columns and MEASURED of the drift by the job's judge."""
    named = _named((*run.key, run.drift) for run in config.runs)
    none, empty = pl.lit(None, pl.Float64), pl.lit("")
    found = named.join(drift.filter(pl.col("judge") == config.judge), on="run").with_columns(
        pl.col("stance").cast(pl.String), benchmark=empty, shots=empty, stderr=none, moved=pl.col("verdict") == "moved"
    )
    each = [
        found.with_columns(metric=pl.lit("magnitude"), ours="magnitude", low="magnitude_low", high="magnitude_high"),
        found.with_columns(metric=pl.lit("time"), ours="time", low=none, high=none),
    ]
    return pl.concat([rows.select(*OURS, *MEASURED) for rows in each])


def _downstream(scores: pl.DataFrame, config: ScorecardJob) -> pl.DataFrame:
    """Return the same columns of the scores, means over seeds, with the intervals of their standard errors."""
    rows = _named((*run.key, seed) for run in config.runs for seed in run.runs).join(scores, on="run")
    empty, half = pl.lit(""), NORMAL * pl.col("stderr")
    rows = rows.with_columns(pl.col("shots").cast(pl.String), benchmark="task", category=empty, stance=empty)
    found = rows.group_by(OURS, maintain_order=True).agg(
        pl.col("stderr").mean(), ours=pl.col("value").mean(), seeds=pl.col("value").count().cast(pl.Int64)
    )
    limits = {"low": pl.col("ours") - half, "high": pl.col("ours") + half}
    none = {"prompts": pl.lit(None, pl.Int64), "moved": pl.lit(None, pl.Boolean)}
    return found.with_columns(**limits, **none).select(*OURS, *MEASURED)


def _named(rows: Iterable[tuple[str, ...]]) -> pl.DataFrame:
    """Return RUN and run, an id of the study, of rows of them."""
    return pl.DataFrame(list(rows), schema=dict.fromkeys([*RUN, "run"], pl.String), orient="row")


def _compared(printed: pl.DataFrame, ours: pl.DataFrame, runs: list[ReferenceRun]) -> pl.DataFrame:
    """Return the printed cells with MEASURED, the difference and the status."""
    ran = pl.DataFrame([run.key for run in runs], schema=dict.fromkeys(RUN, pl.String), orient="row").with_columns(ran=True)
    joined = printed.join(ours, on=OURS, how="left", maintain_order="left").join(ran, on=RUN, how="left", maintain_order="left")
    status = pl.when(pl.col("ran").is_null()).then(pl.lit("not run")).when(pl.col("ours").is_null()).then(pl.lit("not measured"))
    return joined.with_columns(
        difference=pl.col("ours") - pl.col("paper"), seeds=pl.col("seeds").fill_null(0), status=status.otherwise(pl.lit("compared"))
    )


def _flagged(cells: pl.DataFrame, path: str | None) -> tuple[pl.DataFrame, int]:
    """Return the cells with `flags`, the reasons of the rules that match them, and the number of rules that match no cell."""
    reasons: list[list[str]] = [[] for _ in range(len(cells))]
    unused = 0
    rules = _read(path, ["reason"]) if path else pl.DataFrame()
    if unknown := [name for name in rules.columns if name not in (*CELL, "reason")]:
        raise UserError(f"{path}: unknown columns {', '.join(unknown)}; known are {', '.join(CELL)} and reason")
    for rule in rules.iter_rows(named=True):
        reason = rule.pop("reason")
        matches = [pl.col(name).is_in(value.split("|")) for name, value in rule.items() if value]
        matching = cells.with_row_index().filter(pl.all_horizontal(matches or [pl.lit(True)]))["index"].to_list()
        unused += not matching
        for number in matching:
            reasons[number] += [reason] if reason not in reasons[number] else []
    return cells.with_columns(flags=pl.Series(reasons, dtype=pl.List(pl.String))), unused
