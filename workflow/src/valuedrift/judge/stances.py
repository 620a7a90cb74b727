"""Stances of every response of one run, by one judge."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.judge import JudgeJob
from valuedrift.io.step_0 import as_step_0
from valuedrift.io.tables import GENERATIONS, PROMPTS, STANCES
from valuedrift.judge.backend import Item, Judge, Reader, Verdict
from valuedrift.judge.degenerate import degenerate
from valuedrift.judge.function import FunctionJudge
from valuedrift.lm.judge_calls import draw_prompts
from valuedrift.lm.refusals import is_refusal

KEY = ["run", "step", "prompt_id", "sample"]


def run(*, config: JudgeJob, generations: Path, prompts: Path, output: Path, parent: Path | None = None) -> None:
    """Judge the responses that were sampled for this run; those of step 0 are the parent's, and their stances are copied."""
    kept = draw_prompts(PROMPTS.read(prompts), config.judge.per_category, config.seed)
    sampled = GENERATIONS.read(generations)
    tables = []
    if parent is not None:
        copied = as_step_0(STANCES.read(parent), config.run)
        tables.append(copied.join(kept, on="prompt_id", how="semi"))
        sampled = sampled.filter(pl.col("step") > 0)
    asked = sampled.join(kept, on="prompt_id", validate="m:1")
    tables.append(stances(make_judge(config, output.with_suffix(".ledger.sqlite")), config.name, asked))
    STANCES.write(pl.concat(tables).sort(KEY), output)


def stances(judge: Judge, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of STANCES for sampled responses with their prompts. Identical questions to the judge are asked once."""
    items = [Item(row["question"], row["response"], row["topic"]) for row in rows.iter_rows(named=True)]
    asked = list(dict.fromkeys(item for item in items if item.response.strip()))
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
    return {**vars(verdict), "status": _status(item.response)}


def _status(response: str) -> str:
    """Of a response that has a verdict: text that says nothing and refusals get a stance all the same, so they are flagged."""
    if reason := degenerate(response):
        return f"malformed: {reason}"
    return "refused: declines to answer" if is_refusal(response) else "ok"


PART = 10_000
"""Prompts that a model in this process is given at once: at 430 tokens they take 0.6 GB."""


def make_judge(job: JudgeJob, ledger: Path) -> Judge:
    """The configured judge; what a paid one answers stays in `ledger`."""
    if job.judge.backend == "function":
        return FunctionJudge(str(job.judge.function))
    from valuedrift.judge.prompted import PromptedJudge

    return PromptedJudge(_reader(job, ledger), job.judge)


def _reader(job: JudgeJob, ledger: Path) -> Reader:
    if job.judge.backend == "openai":
        from valuedrift.judge.api import ApiReader

        assert job.chat
        return ApiReader(job.judge, job.chat, ledger)
    if job.judge.backend == "vllm":
        from valuedrift.judge.vllm_reader import VllmReader

        return _in_parts(VllmReader(job.judge))
    from valuedrift.judge.local import LocalReader

    return _in_parts(LocalReader(job.judge))


def _in_parts(reader: Reader) -> Reader:
    """The reader, for so many prompts at a time that their tokens do not fill the memory."""
    return lambda prompts: [reading for start in range(0, len(prompts), PART) for reading in reader(prompts[start : start + PART])]
