"""Sample responses: those of each run to the same few prompts, at its first and last checkpoint."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.io.frames import detached
from valuedrift.io.tables import GENERATIONS


@dataclass(frozen=True)
class Sample:
    """A prompt with its responses."""

    question: str
    category: str
    answers: list[tuple[str, str | None]]
    """Checkpoint and its response (None for none), first checkpoint first."""


def choose_prompts(prompts: pl.DataFrame, categories: list[str], count: int, seed: int) -> pl.DataFrame:
    """Return `count` random rows of PROMPTS, a second one of a category only after all others have one.

    The order is by a hash of seed and prompt id, so prompts that were not drawn may change without changing the draw.
    """
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
    """Return run, step, prompt_id, response of each prompt's first sample at the first and last checkpoint of each run.

    One table at a time is in memory: a study's responses are gigabytes, of which a handful is kept.
    """
    return pl.concat([_ends(GENERATIONS.frame([]), []), *(detached(_ends(GENERATIONS.read(path), prompt_ids)) for path in paths)])


def samples(
    prompts: pl.DataFrame, responses: pl.DataFrame, parents: Mapping[str, str | None], runs: list[str]
) -> dict[str, list[Sample]]:
    """Return run → one sample for each of `prompts`; a run without responses is left out.

    The first checkpoint is the parent's last one if the run's own table does not begin at step 0.
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
    """Return label, run and step of the first and the last checkpoint; one entry if they are the same."""
    if run not in steps:
        return []
    first, last = steps[run]
    if first > 0 and parent is not None and parent in steps:
        start = (f"step 0: {parent}, step {steps[parent][1]}", parent, steps[parent][1])
    else:
        start = (f"step {first}", run, first)
    end = (f"step {last}", run, last)
    return [start] if start == end else [start, end]
