"""How well a study agrees with printed values, both of which have errors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from valuedrift.stats.noise import TAIL, standard_error
from valuedrift.stats.shares import Floats

NORMAL = 1.96
"""Half the width of a 95% interval, in standard errors."""
ROUNDING = 0.005
"""Largest error of a magnitude that is printed with two decimals; a smaller one is printed as 0.00 and has no sign."""
ONE_CHECKPOINT = 0.12
"""Difference of drift times; on the coarsest of the paper's grids one checkpoint is 0.11 of the training."""
CHANCE = 0.5
"""Share of a table's printed times that agree with ours by chance, from which it says nothing that this one does."""
ASSUMED_STDERR = 0.045
"""Standard error of a printed magnitude where the study has none to tell it by: scorecard_printed.py."""
FEWEST = 3
"""Cells that a statistic needs at least."""
RUN = ["model", "sft_dataset", "phase", "preference_dataset", "chosen"]
"""Columns that name a run of the paper."""


def judged(cells: pl.DataFrame, prompts: int, confidence: float = 0.95) -> pl.DataFrame:
    """Return cells of `paper`, `paper_stderr`, `ours`, `low`, `high`, `stderr`, `prompts`, `moved` and `status` with what they say.

    paper_stderr: of magnitudes ours, as it would be with that many prompts. agrees_low, agrees_high: the printed values that agree
    with ours, those within the interval of a difference of two independent studies, for times within a checkpoint. moved_paper: the
    printed magnitude is beyond what its prompts could decide. chance: the share of all printed values of the table that agree with
    ours. verdict: agrees; differs; undecided, where magnitudes within their errors have opposite signs, or a time agrees that most
    of the table's would; "" where nothing is compared. A time is compared only where the cell moved in both studies.
    """
    names = ("ours", "low", "high", "prompts")
    ours, low, high, own = cells.select(pl.col(names).cast(pl.Float64)).to_numpy().T
    below, above = reach(ours - low, high - ours, own, prompts)
    stderr = standard_error(low, high, own, (1 - confidence) / 2)
    magnitude, time = pl.col("metric") == "magnitude", pl.col("metric") == "time"
    near = pl.when(time).then(ONE_CHECKPOINT).otherwise(NORMAL * (pl.col("stderr") ** 2 + pl.col("paper_stderr") ** 2).sqrt())
    assumed = pl.Series(stderr * np.sqrt(own / prompts)).fill_nan(None).fill_null(ASSUMED_STDERR)
    cells = cells.with_columns(
        agrees_low=pl.col("ours") - pl.when(magnitude).then(pl.Series(below)).otherwise(near),
        agrees_high=pl.col("ours") + pl.when(magnitude).then(pl.Series(above)).otherwise(near),
        stderr=pl.when(magnitude).then(pl.Series(stderr)).otherwise("stderr"),
        paper_stderr=pl.when(magnitude).then(assumed).otherwise("paper_stderr"),
    ).with_columns(pl.col("agrees_low", "agrees_high", "stderr").fill_nan(None))
    bound = float(stats.t.isf(TAIL, prompts - 1)) * pl.col("paper_stderr")
    return _verdicts(_chances(_times(cells.with_columns(moved_paper=magnitude & (pl.col("paper").abs() > bound)))))


def reach(down: Floats, up: Floats, prompts: Floats, printed: int) -> tuple[Floats, Floats]:
    """Return how far below and above ours a printed magnitude agrees (cells,), if ours has the limits `down` below and `up` above.

    Both errors together (MOVER of two independent means: Zou and Donner 2008): the printed one's is ours, as it would be with
    `printed` prompts in place of `prompts`, and what its two decimals hide.
    """
    ratio = _ratio(prompts, printed)
    below, above = (np.sqrt(own**2 + (other * ratio) ** 2 + ROUNDING**2) for own, other in ((down, up), (up, down)))
    return below, above


def _ratio(prompts: Floats, printed: int) -> Floats:
    """Return the width of an interval with `printed` prompts as a share of that with `prompts`."""
    freedom = np.maximum(prompts - 1, 1)
    found: Floats = np.sqrt(prompts / printed) * stats.t.isf(TAIL, printed - 1) / stats.t.isf(TAIL, freedom)
    return found


def _times(cells: pl.DataFrame) -> pl.DataFrame:
    """Return the cells; a time whose magnitude did not move in both studies is not compared."""
    place = ["table", *RUN, "category", "stance"]
    moved = cells.filter(pl.col("metric") == "magnitude").select(*place, both=pl.col("moved") & pl.col("moved_paper"))
    joined = cells.join(moved, on=place, how="left", maintain_order="left")
    unmoved = (pl.col("metric") == "time") & (pl.col("status") != "not run") & ~pl.col("both").fill_null(value=False)
    return joined.with_columns(status=pl.when(unmoved).then(pl.lit("not moved")).otherwise("status")).drop("both")


def _chances(cells: pl.DataFrame) -> pl.DataFrame:
    rows = cells.with_row_index().filter((pl.col("status") == "compared") & pl.col("agrees_low").is_not_null())
    found: list[tuple[int, float]] = []
    for group in rows.partition_by("table", "metric", "benchmark"):
        low, high, printed = (group[name].to_numpy() for name in ("agrees_low", "agrees_high", "paper"))
        share = ((low[:, None] <= printed) & (printed <= high[:, None])).mean(1)
        found += zip(group["index"], share, strict=True)
    chances = pl.DataFrame(found, schema={"index": pl.UInt32, "chance": pl.Float64}, orient="row")
    return cells.with_row_index().join(chances, on="index", how="left", maintain_order="left").drop("index")


def _verdicts(cells: pl.DataFrame) -> pl.DataFrame:
    agrees = pl.col("paper").is_between("agrees_low", "agrees_high")
    flips = (pl.col("metric") == "magnitude") & (pl.col("paper") * pl.col("ours") < 0) & (pl.col("paper").abs() >= ROUNDING)
    by_chance = (pl.col("metric") == "time") & (pl.col("chance") > CHANCE)
    verdict = (
        pl.when((pl.col("status") != "compared") | agrees.is_null()).then(pl.lit(""))
        .when(~agrees).then(pl.lit("differs"))
        .when(flips | by_chance).then(pl.lit("undecided"))
        .otherwise(pl.lit("agrees"))
    )  # fmt: skip
    return cells.with_columns(verdict=verdict)


@dataclass(frozen=True)
class Agreement:
    """Agreement of the compared cells; a statistic of fewer than FEWEST cells is None, and so is the correlation of equal ranks."""

    compared: int
    sign: float | None
    """Share with the same sign, of the magnitudes that moved in both studies."""
    rank: float | None
    """Spearman's rank correlation."""
    difference: float | None
    """Mean absolute difference."""
    within: float | None
    """Share of the printed values that agree with ours, up to both errors."""
    chance: float | None
    """The same share if the printed values changed places within their table."""
    error: float | None
    """Median of half the width of what agrees."""


@dataclass(frozen=True)
class Line:
    """One line of the scorecard: the agreement over all its cells (`every`) and over those not flagged (`sound`)."""

    table: str
    metric: str
    cells: int
    flagged: int
    every: Agreement
    sound: Agreement


def lines(cells: pl.DataFrame) -> Iterator[Line]:
    """Yield a line per drift metric over all tables, then one per table and metric or benchmark."""
    drift = cells.filter(pl.col("benchmark") == "")
    groups = [(("all tables", str(metric)), rows) for (metric,), rows in drift.group_by("metric", maintain_order=True)]
    by = ["table", pl.when(pl.col("benchmark") == "").then("metric").otherwise("benchmark")]
    groups += [((f"Table {key[0]}", str(key[1])), rows) for key, rows in cells.group_by(by, maintain_order=True)]
    for (table, metric), rows in groups:
        sound = rows.filter(pl.col("flags").list.len() == 0)
        yield Line(table, metric, len(rows), len(rows) - len(sound), agreement(rows), agreement(sound))


def agreement(cells: pl.DataFrame) -> Agreement:
    """Return the statistics of the compared cells; all cells are of one metric."""
    compared = cells.filter(pl.col("status") == "compared")
    signed = compared.filter((pl.col("metric") == "magnitude") & pl.col("moved") & pl.col("moved_paper"))
    ranged = compared.filter(pl.col("agrees_low").is_not_null())
    return Agreement(
        len(compared),
        _mean(signed.select(pl.col("paper") * pl.col("ours") > 0)),
        _rank_correlation(compared),
        _mean(compared.select((pl.col("ours") - pl.col("paper")).abs())),
        _mean(ranged.select(pl.col("verdict") != "differs")),
        _mean(ranged.select("chance")),
        _median(ranged.select((pl.col("agrees_high") - pl.col("agrees_low")) / 2)),
    )


def _mean(column: pl.DataFrame) -> float | None:
    return float(column.to_series().cast(pl.Float64).mean()) if len(column) >= FEWEST else None  # type: ignore[arg-type]


def _median(column: pl.DataFrame) -> float | None:
    return float(column.to_series().median()) if len(column) >= FEWEST else None  # type: ignore[arg-type]


def _rank_correlation(compared: pl.DataFrame) -> float | None:
    paper, ours = compared["paper"], compared["ours"]
    if len(compared) < FEWEST or paper.n_unique() == 1 or ours.n_unique() == 1:
        return None
    return float(stats.spearmanr(paper, ours).statistic)
