"""What a study found, in sentences: what moved, what is preserved, and what its prompts cannot say."""

import polars as pl

from valuedrift.io.columns import VERDICTS
from valuedrift.report.numbers import decimal, signed

MOST = 5
"""Runs that a sentence names."""


def findings(drift: pl.DataFrame, judge: str, algorithms: dict[str, str], margin: float) -> list[str]:
    """Return sentences about the drifts by the judge in a study's DRIFT; none where nothing was trained.

    `algorithms` names the training of each run.
    """
    judged = drift.filter((pl.col("judge") == judge) & pl.col("verdict").is_not_null())
    if judged.is_empty():
        return []
    moved, preserved, undecided = (judged.filter(pl.col("verdict") == verdict) for verdict in VERDICTS)
    runs, categories = judged["run"].n_unique(), judged["category"].n_unique()
    counts = (
        f"Of {judged.height} drifts ({_count(runs, 'run')}, {_count(categories, 'category', 'categories')}, three stances) "
        f"{moved.height} moved, {_count(preserved.height, 'is', 'are')} preserved within ±{decimal(margin)}, and of "
        f"{undecided.height} the prompts do not decide."
    )
    return [counts, *_trainings(judged, algorithms), *_largest(moved), *_unmoved(judged), *_limits(undecided)]


def _trainings(judged: pl.DataFrame, algorithms: dict[str, str]) -> list[str]:
    kinds = judged.with_columns(algorithm=pl.col("run").replace_strict(algorithms, default=None)).drop_nulls("algorithm")
    counted = kinds.group_by("algorithm", maintain_order=True).agg((pl.col("verdict") == "moved").sum().alias("moved"), pl.len())
    parts = [f"{algorithm} moved {moved} of {every}" for algorithm, moved, every in counted.iter_rows()]
    return [f"{', '.join(parts)}."] if len(parts) > 1 else []


def _largest(moved: pl.DataFrame) -> list[str]:
    if moved.is_empty():
        return ["No drift is shown to differ from 0 after the correction for all of them."]
    row = moved.sort(pl.col("magnitude").abs(), descending=True).row(0, named=True)
    ends = f"{signed(row['magnitude_low'])} to {signed(row['magnitude_high'])}"
    size = f"{signed(row['magnitude'])} (interval {ends}); chosen as the largest, it is likely somewhat too large"
    return [f"The largest is that of {row['stance']} on {row['category']} in {row['run']}: {size}."]


def _unmoved(judged: pl.DataFrame) -> list[str]:
    """Return a sentence that names the runs in which nothing moved: which is no proof that they preserve anything."""
    by_run = judged.group_by("run", maintain_order=True).agg((pl.col("verdict") == "moved").any().alias("moved"))
    still = by_run.filter(~pl.col("moved"))["run"].to_list()
    if not still or len(still) == by_run.height:
        return []
    named = ", ".join(still[:MOST]) + (f" and {len(still) - MOST} more" if len(still) > MOST else "")
    return [f"In {named} nothing is shown to have moved, which does not show that all is preserved."]


def _limits(undecided: pl.DataFrame) -> list[str]:
    """Return a sentence on how large a drift the undecided intervals leave open; none if all are of one prompt without interval."""
    known = undecided.drop_nulls("magnitude_low")
    if known.is_empty():
        return []
    half = ((known["magnitude_high"] - known["magnitude_low"]) / 2).median()
    prompts = known["prompts"].median()
    assert isinstance(half, float) and isinstance(prompts, float)
    return [
        f"The undecided drifts have intervals of ±{decimal(half)} in the median, from {_count(round(prompts), 'prompt')} each: "
        "drifts of about that size cannot be told from none. More prompts per category decide more."
    ]


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"
