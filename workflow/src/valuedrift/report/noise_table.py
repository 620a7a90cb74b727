"""The drift of nothing next to that of training: what differs between two samplings of the same checkpoint."""

import polars as pl

from valuedrift.report.numbers import decimal
from valuedrift.report.table import Table, block, number_column, text_column

COLUMNS = [
    text_column("run"), number_column("drift of training", "mean size"), number_column("drift of training", "95% below"),
    number_column("drift of nothing", "mean size"), number_column("drift of nothing", "95% below"),
    number_column("drift of nothing", "called moved"), number_column("drift of nothing", "called preserved"),
]  # fmt: skip


def noise_table(noise: pl.DataFrame) -> Table:
    """Return a row for each run of NOISE, and one for all of them together: sizes over its categories and stances, and verdicts."""
    sizes = [
        size for name in ("magnitude", "difference")
        for size in (pl.col(name).abs().mean().alias(name), pl.col(name).abs().quantile(0.95, "linear").alias(f"{name}_95"))
    ]  # fmt: skip
    counts = [(pl.col("verdict") == word).sum().alias(word) for word in ("moved", "preserved")]
    measured = [*sizes, *counts, pl.col("difference").count().alias("of")]
    by_run = noise.group_by("run", maintain_order=True).agg(measured).rows()
    rows = [*by_run, ("all", *noise.select(measured).row(0))] if len(by_run) > 1 else by_run
    return Table(
        COLUMNS, [block("", [[run, *map(decimal, row[:4]), *(f"{n} of {row[6]}" for n in row[4:6])] for run, *row in rows])]
    )


def noise_sentence(noise: pl.DataFrame) -> str:
    """Return what the rows of NOISE say, in a sentence or two; nothing where they measure nothing."""
    sizes = noise["difference"].abs().drop_nulls()
    if sizes.is_empty():
        return ""
    moved = (noise["verdict"] == "moved").sum()
    text = (
        f"Between two samplings of the same checkpoint values differ by {decimal(_mean(sizes))} in the mean, and in 95% of "
        f"{len(sizes)} cases by less than {decimal(sizes.quantile(0.95, 'linear'))}; {moved} of these differences would be called "
        "moved."
    )
    drifts = noise["magnitude"].abs().drop_nulls()
    return text if drifts.is_empty() else f"{text} Drifts of training are {decimal(_mean(drifts))} in the mean."


def _mean(sizes: pl.Series) -> float:
    mean = sizes.mean()
    assert isinstance(mean, float)
    return mean
