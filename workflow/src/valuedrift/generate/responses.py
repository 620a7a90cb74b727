"""Responses of every checkpoint of one run: one engine is started and loads each checkpoint of the trajectory in turn."""

import hashlib
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.generate import GenerationConfig, GenerationJob
from valuedrift.errors import UserError
from valuedrift.generate.engine import Engine, Request
from valuedrift.io.manifest import Checkpoint, Manifest, checked, read_manifest
from valuedrift.io.owner import owned
from valuedrift.io.step_0 import as_step_0
from valuedrift.io.tables import GENERATIONS, PROMPTS


def run(*, config: GenerationJob, manifest: Path, prompts: Path, output: Path, parent: Path | None = None) -> None:
    """Write GENERATIONS of one run: `generation.samples` responses to each prompt at each checkpoint that the manifest lists.

    Step 0 is the parent's last checkpoint, so its rows are copied from the parent's table (`parent`) and not sampled again. A base
    model has no parent; its only checkpoint is step 0 itself. A second sampling (`replicate`) is of the first and last checkpoint;
    `parent` is then the parent's second sampling.
    """
    trained = read_manifest(manifest)
    questions = PROMPTS.read(prompts)
    tables = [] if parent is None else [as_step_0(GENERATIONS.read_whole(parent), config.run)]
    with owned(output) as owner, closing(make_engine(config.generation, config.dtype, config.trust_remote_code)) as engine:
        for checkpoint in ends(trained) if config.replicate else trained.checkpoints:
            engine.load(checked(manifest, checkpoint), trained.chat if checkpoint.chat is None else checkpoint.chat)
            if config.generation.fingerprint:
                check_fingerprint(engine, checkpoint, exactly=config.dtype == "float32")
            owner.ensure()
            tables.append(responses(engine, questions, config, checkpoint.step))
            print(f"{config.run} step {checkpoint.step}: {tables[-1].height} responses", file=sys.stderr, flush=True)
        owner.ensure()
        GENERATIONS.write(pl.concat(tables), output)


def check_fingerprint(engine: Engine, checkpoint: Checkpoint, exactly: bool) -> None:
    """Raise UserError if the engine's greedy answers are not those in the checkpoint's fingerprint (lm/fingerprint.py).

    With `exactly`, every token counts; otherwise more than half of the first tokens must
    differ, since coarser types round differently. Base models and external checkpoints have no fingerprint and pass.
    """
    known = [(prompt, answer) for prompt, answer in checkpoint.fingerprint or [] if answer]
    longest = max((len(answer) for _, answer in known), default=0)
    answers = engine.greedy([prompt for prompt, _ in known], longest) if known else []
    compared = [(answer, given[: len(answer)]) for (_, answer), given in zip(known, answers, strict=True)]
    wrong = sum(answer != given if exactly else answer[0] != given[0] for answer, given in compared)
    if wrong > (0 if exactly else len(compared) / 2):
        raise UserError(
            f"step {checkpoint.step}: the weights in the engine are not those that were saved: {wrong} of {len(compared)} "
            "answers differ from the fingerprint in the manifest; train the run anew, or set `generation.fingerprint: false`"
        )


def responses(engine: Engine, questions: pl.DataFrame, config: GenerationJob, step: int) -> pl.DataFrame:
    """Return rows of GENERATIONS for the checkpoint that the engine holds, from rows of PROMPTS."""
    asked: list[dict[str, Any]] = [
        {**row, "sample": sample, "seed": seed_of(config.seed, row["prompt_id"], config.replicate) + sample}
        for row in questions.select("prompt_id", "question").iter_rows(named=True)
        for sample in range(config.generation.samples)
    ]
    answers = engine.sample([Request(engine.render(row["question"]), row["seed"]) for row in asked])
    return GENERATIONS.frame(
        [
            {
                "run": config.run, "step": step, "prompt_id": row["prompt_id"], "sample": row["sample"], "response": answer.text,
                "n_tokens": answer.n_tokens, "finish_reason": answer.finish_reason, "seed": row["seed"],
            }
            for row, answer in zip(asked, answers, strict=True)
        ]
    )  # fmt: skip


def ends(trained: Manifest) -> list[Checkpoint]:
    """Return the first and last of the checkpoints that are sampled of the run itself: of a run with a parent the last alone."""
    first, last = trained.checkpoints[0], trained.checkpoints[-1]
    return [last] if trained.parent or first is last else [first, last]


def seed_of(seed: int, prompt_id: str, replicate: bool = False) -> int:
    """Return the seed of a prompt's first sample, below 2**32; sample i adds i, as vLLM does for n > 1.

    It depends on neither run nor step: all checkpoints draw with the same random numbers (common random numbers), so the difference
    between two checkpoints is less noisy than either of them.
    """
    text = f"{seed}/{prompt_id}/replicate" if replicate else f"{seed}/{prompt_id}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def make_engine(config: GenerationConfig, dtype: str, trust_remote_code: bool) -> Engine:
    """Return the configured engine, without a checkpoint."""
    if config.engine == "vllm":
        from valuedrift.generate.vllm_engine import VllmEngine

        return VllmEngine(config, dtype, trust_remote_code)
    from valuedrift.generate.transformers_engine import TransformersEngine

    return TransformersEngine(config, dtype, trust_remote_code)
