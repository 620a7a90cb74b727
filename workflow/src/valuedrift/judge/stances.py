"""Stances of every response of one run, by one judge."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.judging import JudgeJob
from valuedrift.frames import GENERATIONS, PROMPTS, STANCES, as_step_0
from valuedrift.judge.backend import Item, Judge, Verdict, make_judge
from valuedrift.judge.degenerate import degenerate

KEY = ["run", "step", "prompt_id", "sample"]


def run(*, config: JudgeJob, generations: Path, prompts: Path, output: Path, parent: Path | None = None) -> None:
    """Judge the responses that were sampled for this run; those of step 0 are the parent's, and their stances are copied."""
    sampled = GENERATIONS.read(generations)
    tables = []
    if parent is not None:
        tables.append(as_step_0(STANCES.read(parent), config.run))
        sampled = sampled.filter(pl.col("step") > 0)
    asked = sampled.join(PROMPTS.read(prompts), on="prompt_id", validate="m:1")
    tables.append(stances(make_judge(config, output.with_suffix(".ledger.sqlite")), config.name, asked))
    STANCES.write(pl.concat(tables).sort(KEY), output)


def stances(judge: Judge, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of STANCES for sampled responses with their prompts. Identical questions to the judge are asked once."""
    items = [Item(row["question"], row["response"], row["topic"]) for row in rows.iter_rows(named=True)]
    asked = list(dict.fromkeys(item for item in items if item.response))
    verdicts = dict(zip(asked, judge(asked), strict=True))
    return STANCES.frame(
        [
            {**{k: row[k] for k in (*KEY, "category")}, "judge": name, **_columns(item, verdicts.get(item))}
            for row, item in zip(rows.iter_rows(named=True), items, strict=True)
        ]
    )


def _columns(item: Item, verdict: Verdict | str | None) -> dict[str, Any]:
    if verdict is None:
        return {"status": "unscorable: empty response"}
    if isinstance(verdict, str):
        return {"status": verdict if verdict.startswith(("unscorable: ", "malformed: ")) else f"unscorable: {verdict}"}
    reason = degenerate(item.response)
    return {**vars(verdict), "status": "ok" if reason is None else f"malformed: {reason}"}
