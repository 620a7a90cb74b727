"""Sample responses: what each run said to the same few prompts where it began and where it ended."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.io.tables import GENERATIONS


@dataclass(frozen=True)
class Sample:
    """A prompt with responses, first checkpoint first: (which checkpoint, its response or None where it has none)."""

    question: str
    category: str
    answers: list[tuple[str, str | None]]


def choose_prompts(prompts: pl.DataFrame, categories: list[str], count: int, seed: int) -> pl.DataFrame:
    """`count` rows of PROMPTS: a draw that depends on the seed and on no prompt but those shown, of different categories first."""
    draw = pl.col("prompt_id").map_elements(lambda p: hashlib.sha256(f"{seed}:{p}".encode()).hexdigest(), return_dtype=pl.String)
    return (
        prompts.filter(pl.col("category").is_in(categories))
        .with_columns(draw=draw)
        .sort("draw")
        .with_columns(turn=pl.int_range(pl.len()).over("category"))
        .sort("turn", "draw")
        .head(count)
        .drop("turn", "draw")
    )


def read_responses(paths: list[Path], prompt_ids: list[str]) -> pl.DataFrame:
    """run, step, prompt_id, response: the first sample of each prompt at the first and last checkpoint of each run.

    One table at a time is in memory: a study's responses are gigabytes, and this keeps a handful.
    """
    return pl.concat([_ends(GENERATIONS.frame([]), []), *(_ends(GENERATIONS.read(path), prompt_ids) for path in paths)])


def samples(
    prompts: pl.DataFrame, responses: pl.DataFrame, parents: Mapping[str, str | None], runs: list[str]
) -> dict[str, list[Sample]]:
    """Run → a sample for each of `prompts`; a run with no responses has none.

    A run's first checkpoint is its parent's last one where its own table does not begin at step 0.
    """
    steps = {row[0]: (row[1], row[2]) for row in responses.group_by("run").agg(pl.min("step"), pl.max("step").alias("last")).rows()}
    texts = {(row["run"], row["step"], row["prompt_id"]): row["response"] for row in responses.iter_rows(named=True)}
    return {
        run: [
            Sample(p["question"], p["category"], [(label, texts.get((of, step, p["prompt_id"]))) for label, of, step in places])
            for p in prompts.iter_rows(named=True)
        ]
        for run in runs
        if (places := _checkpoints(run, parents.get(run), steps))
    }


def _ends(generations: pl.DataFrame, prompt_ids: list[str]) -> pl.DataFrame:
    step = pl.col("step")
    return (
        generations.filter((step == step.min().over("run")) | (step == step.max().over("run")))
        .filter(pl.col("prompt_id").is_in(prompt_ids))
        .filter(pl.col("sample") == pl.col("sample").min().over("run", "step", "prompt_id"))
        .select("run", "step", "prompt_id", "response")
    )


def _checkpoints(run: str, parent: str | None, steps: Mapping[str, tuple[int, int]]) -> list[tuple[str, str, int]]:
    """Label, run and step of the first and last checkpoint; one where they are the same."""
    if run not in steps:
        return []
    first, last = steps[run]
    if first > 0 and parent is not None and parent in steps:
        start = (f"step 0: {parent}, step {steps[parent][1]}", parent, steps[parent][1])
    else:
        start = (f"step {first}", run, first)
    end = (f"step {last}", run, last)
    return [start] if start == end else [start, end]
