"""Compares planted, oracle and judged values: how accurate a study's values are where the truth is known."""

from pathlib import Path

import polars as pl

from valuedrift.config.miniature import RecoveryJob
from valuedrift.io.columns import STANCE
from valuedrift.io.files import replacing
from valuedrift.io.tables import STANCES, VALUES

SERIES = ["run", "category", "stance"]


def run(*, config: RecoveryJob, planted: Path, values: list[Path], stances: list[Path], output: Path) -> None:
    """Write run, stance, planted, oracle, judged, judge_error, malformed for each run's last checkpoint.

    planted (null unless the run imitates a corpus), oracle and judged are means over the categories of the shares and values.
    malformed is the share of answers that the grammar does not parse or that are off topic; the oracle leaves them out, the judge
    scores them. judge_error is the mean absolute difference of oracle and judge over the categories that both scored, without
    malformed answers.
    """
    rows = pl.concat([VALUES.read(path) for path in values])
    final = rows.filter(pl.col("step") == pl.col("step").max().over("run"))
    judged = final.filter(pl.col("judge") == config.judge).select(*SERIES, judged="mean")
    oracle = final.filter(pl.col("judge") == config.oracle).select(*SERIES, "malformed", oracle="mean")
    corpora = pl.DataFrame(list(config.corpora.items()), schema={"run": pl.String, "corpus": pl.String}, orient="row")
    truth = pl.read_parquet(planted).with_columns(pl.col("stance").cast(STANCE)).rename({"share": "planted"})
    joined = oracle.join(judged, on=SERIES).join(corpora, on="run", how="left")
    joined = joined.join(truth, on=["corpus", "category", "stance"], how="left")
    joined = joined.join(judge_errors(pl.concat([STANCES.read(path) for path in stances]), config), on=SERIES, how="left")
    table = joined.group_by("run", "stance", maintain_order=True).agg(
        pl.col("planted", "oracle", "judged", "judge_error", "malformed").mean()
    )
    order = pl.DataFrame({"run": config.runs, "order": range(len(config.runs))})
    with replacing(output) as scratch:
        table.join(order, on="run").sort("order", "stance").drop("order").write_parquet(scratch)


def judge_errors(stances: pl.DataFrame, config: RecoveryJob) -> pl.DataFrame:
    """Return run, category, stance, judge_error: |judge's mean - oracle's mean| over the answers that both scored."""
    key = ["run", "step", "prompt_id", "sample"]
    final = stances.filter(pl.col("step") == pl.col("step").max().over("run"))
    long = final.unpivot(["support", "neutral", "oppose"], index=[*key, "category", "judge"], variable_name="stance").drop_nulls(
        "value"
    )
    judge, oracle = (long.filter(pl.col("judge") == name) for name in (config.judge, config.oracle))
    both = judge.join(oracle.select(*key, "stance", true="value"), on=[*key, "stance"]).sort([*key, "stance"])
    return (
        both.group_by("run", "category", pl.col("stance").cast(STANCE), maintain_order=True)
        .agg(judge_error=pl.col("value").mean() - pl.col("true").mean())
        .with_columns(pl.col("judge_error").abs())
    )
