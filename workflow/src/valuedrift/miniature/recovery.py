"""Planted against oracle against judged: how true a study's values are where the truth is known."""

from pathlib import Path

import polars as pl

from valuedrift.config.miniature import RecoveryJob
from valuedrift.frames import VALUES, replacing


def run(*, config: RecoveryJob, planted: Path, values: list[Path], output: Path) -> None:
    """Write run, stance, planted, oracle, judged, topic_error, malformed for each run's last checkpoint.

    planted (null unless the run imitates a corpus), oracle and judged are means over the categories; topic_error is the mean
    distance of the judge's value from the oracle's over the categories; malformed is the share of answers that the grammar does
    not parse or that are off topic.
    """
    rows = pl.concat([VALUES.read(path) for path in values])
    final = rows.filter(pl.col("step") == pl.col("step").max().over("run"))
    judged = final.filter(pl.col("judge") == config.judge).select("run", "category", "stance", judged="mean")
    oracle = final.filter(pl.col("judge") == config.oracle).select("run", "category", "stance", "malformed", oracle="mean")
    corpora = pl.DataFrame(list(config.corpora.items()), schema={"run": pl.String, "corpus": pl.String}, orient="row")
    truth = pl.read_parquet(planted).with_columns(pl.col("stance").cast(oracle.schema["stance"])).rename({"share": "planted"})
    joined = oracle.join(judged, on=["run", "category", "stance"]).join(corpora, on="run", how="left")
    joined = joined.join(truth, on=["corpus", "category", "stance"], how="left")
    table = joined.group_by("run", "stance", maintain_order=True).agg(
        pl.col("planted", "oracle", "judged").mean(),
        topic_error=(pl.col("judged") - pl.col("oracle")).abs().mean(),
        malformed=pl.col("malformed").mean(),
    )
    order = pl.DataFrame({"run": config.runs, "order": range(len(config.runs))})
    with replacing(output) as scratch:
        table.join(order, on="run").sort("order", "stance").drop("order").write_parquet(scratch)
