"""Stances of every response of one run, by one judge."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.judge import JudgeJob, JudgeStep
from valuedrift.errors import UserError
from valuedrift.io.files import remedy
from valuedrift.io.owner import owned
from valuedrift.io.step_0 import as_step_0
from valuedrift.io.tables import GENERATIONS, PROMPTS, STANCES
from valuedrift.judge.backend import Item, Judge, Reader, Verdict
from valuedrift.judge.degenerate import degenerate
from valuedrift.judge.function import FunctionJudge
from valuedrift.lm.judge_calls import draw_prompts
from valuedrift.lm.refusals import is_refusal

KEY = ["run", "step", "prompt_id", "sample"]


def run(*, config: JudgeJob, generations: Path, prompts: Path, output: Path, parent: Path | None = None) -> None:
    """Write STANCES of one run: judge the responses sampled for it, and copy the parent's stances of its last step as step 0."""
    questions, sampled = PROMPTS.read(prompts), GENERATIONS.read_whole(generations)
    if strays := set(sampled["prompt_id"]) ^ set(questions["prompt_id"]):
        raise UserError(
            f"{generations} and {prompts} are not of the same prompts: {len(strays)} are in one of them alone, such as "
            f"{min(strays)}; {remedy(generations)}"
        )
    kept = draw_prompts(questions, config.judge.per_category, config.seed)
    tables = []
    if parent is not None:
        copied = as_step_0(STANCES.read_whole(parent), config.run)
        tables.append(copied.join(kept, on="prompt_id", how="semi"))
        sampled = sampled.filter(pl.col("step") > 0)
    asked = sampled.join(kept, on="prompt_id", validate="m:1")
    with owned(output) as owner:
        tables.append(stances(make_judge(config, output.with_suffix(".ledger.sqlite")), config.name, asked))
        owner.ensure()
        STANCES.write(pl.concat(tables).sort(KEY), output)


def stances(judge: Judge, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of STANCES for rows of GENERATIONS joined with their prompts; the judge sees identical items once."""
    items = [Item(row["question"], row["response"], row["topic"]) for row in rows.iter_rows(named=True)]
    asked = list(dict.fromkeys(item for item in items if item.response.strip()))
    verdicts = dict(zip(asked, judge(asked), strict=True))
    return STANCES.frame(
        [
            {
                **{k: row[k] for k in (*KEY, "category")},
                "judge": name,
                "truncated": row["finish_reason"] == "length",
                **_columns(item, verdicts.get(item)),
            }
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
    """Return the status of a response that has a verdict: degenerate text and refusals get a stance too, so they are flagged."""
    if reason := degenerate(response):
        return f"malformed: {reason}"
    return "refused: declines to answer" if is_refusal(response) else "ok"


CHUNK = 10_000
"""Prompts passed to a model in this process at once: at 430 tokens each they take 0.6 GB."""


def make_judge(job: JudgeStep, ledger: Path) -> Judge:
    """Return the configured judge; the answers of a judge behind a server are stored in `ledger`."""
    if job.judge.backend == "function":
        return FunctionJudge(str(job.judge.function))
    from valuedrift.judge.prompted import PromptedJudge

    return PromptedJudge(make_reader(job, ledger), job.judge)


def make_reader(job: JudgeStep, ledger: Path) -> Reader:
    """Return the model of a judge that answers with an option letter; answers of one behind a server are stored in `ledger`."""
    if job.judge.backend == "openai":
        from valuedrift.judge.api import ApiReader

        assert job.chat
        return ApiReader(job.judge, job.chat, ledger)
    if job.judge.backend == "vllm":
        from valuedrift.judge.vllm_reader import VllmReader

        return _in_chunks(VllmReader(job.judge))
    from valuedrift.judge.local import LocalReader

    return _in_chunks(LocalReader(job.judge))


def _in_chunks(reader: Reader) -> Reader:
    """Return the reader, called on `CHUNK` prompts at a time so that their tokens do not fill the memory."""
    return lambda prompts: [r for start in range(0, len(prompts), CHUNK) for r in reader(prompts[start : start + CHUNK])]
