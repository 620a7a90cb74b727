"""What can be said of printed magnitudes by themselves: which of them their prompts could have decided, and their means."""

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from valuedrift.config.base import STANCES
from valuedrift.io.columns import VERDICTS
from valuedrift.report.numbers import decimal
from valuedrift.report.scorecard_stats import RUN
from valuedrift.report.table import Table, block, number_column, text_column
from valuedrift.stats.noise import TAIL, size
from valuedrift.stats.shares import Floats

STDERRS = (0.03, 0.045, 0.06)
"""Standard errors that a magnitude of 50 prompts with 5 responses can have. Where stances have shares of .1 to .5, responses to a
prompt correlate by .3 to .8 and prompts between the checkpoints by .3 to .7, it is .022 to .077, at the median .046."""
Flags = npt.NDArray[np.bool_]
MARGIN = 0.05
"""Drift below which a value counts as preserved, the default of `drift.margin`."""
LABELS = {"": "all", "sft": "SFT", "ppo": "PPO", "dpo": "DPO", "simpo": "SimPO"}


def verdicts(magnitudes: Floats, stderr: float) -> tuple[Flags, Flags]:
    """Return which magnitudes (cells,) moved and which are preserved, if all have this standard error and are normal.

    As in drift tables: moved after Benjamini and Hochberg's correction, else preserved by two one-sided tests.
    """
    moved = stats.false_discovery_control(2 * stats.norm.sf(np.abs(magnitudes) / stderr)) <= 2 * TAIL
    preserved = np.abs(magnitudes) + stats.norm.isf(2 * TAIL) * stderr <= MARGIN
    return moved, preserved & ~moved


def decided_table(cells: pl.DataFrame) -> Table:
    """Return, by algorithm and standard error, how many printed magnitudes moved, are preserved and are undecided."""
    rows = cells.filter(pl.col("metric") == "magnitude")
    found = [verdicts(rows["paper"].to_numpy(), stderr) for stderr in STDERRS]
    columns = [
        number_column(f"standard error {decimal(stderr, 3)}", name)
        for stderr in STDERRS for name in VERDICTS
    ]  # fmt: skip
    body = []
    for phase, label in LABELS.items():
        own = np.ones(len(rows), bool) if not phase else (rows["phase"] == phase).to_numpy()
        if own.any():
            counts = [(moved[own].sum(), kept[own].sum(), (~moved & ~kept)[own].sum()) for moved, kept in found]
            body.append([label, str(own.sum()), *(str(count) for three in counts for count in three)])
    return Table([text_column("training"), number_column("magnitudes"), *columns], [block("", body)])


def means_table(cells: pl.DataFrame, names: dict[tuple[str, ...], str]) -> Table:
    """Return means over the categories, by stance and of their size, for each run of `names`, which has RUN → its label.

    The size is the mean of |M| over categories and stances less what sampling alone would show, the paper's first, then ours.
    """
    rows = cells.filter(pl.col("metric") == "magnitude")
    sides = {"paper": ("paper", "paper_stderr"), "ours": ("ours", "stderr")}
    shown = [side for side, (value, _) in sides.items() if rows[value].is_not_null().any()]
    columns = [number_column(stance, side) for stance in STANCES for side in shown]
    columns += [number_column("size", side) for side in shown]
    body = []
    for run, label in names.items():
        same = rows.filter(pl.all_horizontal(pl.col(name) == value for name, value in zip(RUN, run, strict=True)))
        means = [_mean(same.filter(stance=stance)[sides[side][0]]) for stance in STANCES for side in shown]
        body.append([label, *means, *(decimal(mean_size(same, *sides[side])) for side in shown)])
    return Table([text_column("run"), *columns], [block("", body)])


def mean_size(rows: pl.DataFrame, value: str, stderr: str) -> float | None:
    """Return the mean size of the values less the noise floor of their standard errors; None where none has both."""
    known = rows.drop_nulls([value, stderr])
    if known.is_empty():
        return None
    return float(size(known[value].to_numpy(), known[stderr].to_numpy()).mean())


def _mean(values: pl.Series) -> str:
    mean = values.mean()
    return decimal(mean if isinstance(mean, float) else None)
