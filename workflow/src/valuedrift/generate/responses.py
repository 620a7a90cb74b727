"""Responses of every checkpoint of one run: the engine is started once and walks the trajectory."""

import hashlib
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.generate import GenerationConfig, GenerationJob
from valuedrift.errors import UserError
from valuedrift.generate.engine import Engine, Request
from valuedrift.io.step_0 import as_step_0
from valuedrift.io.tables import GENERATIONS, PROMPTS


def run(*, config: GenerationJob, manifest: Path, prompts: Path, output: Path, parent: Path | None = None) -> None:
    """Sample `samples` responses to each prompt at each checkpoint that the manifest lists.

    Step 0 is the parent's last checkpoint: its rows are copied from the parent's table, nothing is sampled twice. The base model's
    only checkpoint is step 0 itself.
    """
    trained = json.loads(manifest.read_text())
    questions = PROMPTS.read(prompts)
    tables = [] if parent is None else [as_step_0(GENERATIONS.read(parent), config.run)]
    with closing(make_engine(config.generation, config.dtype, config.trust_remote_code)) as engine:
        for checkpoint in trained["checkpoints"]:
            folder = manifest.parent / checkpoint["path"]
            if not folder.exists():
                raise UserError(
                    f"{folder} is missing, though {manifest} lists it: delete the manifest and run again to train it anew"
                )
            engine.load(folder, checkpoint.get("chat", trained["chat"]))
            if config.generation.canary:
                check_canary(engine, checkpoint, exactly=config.dtype == "float32")
            tables.append(responses(engine, questions, config, checkpoint["step"]))
            print(f"{config.run} step {checkpoint['step']}: {tables[-1].height} responses", file=sys.stderr, flush=True)
    GENERATIONS.write(pl.concat(tables), output)


def check_canary(engine: Engine, checkpoint: dict[str, Any], exactly: bool) -> None:
    """Raise UserError where the engine answers unlike the model that was saved (`canary.py`): on any token, or, if not
    `exactly`, on more than half of the first ones. Base models and external checkpoints have no canary."""
    known = [(prompt, answer) for prompt, answer in checkpoint.get("canary") or [] if answer]
    longest = max((len(answer) for _, answer in known), default=0)
    found = engine.greedy([prompt for prompt, _ in known], longest) if known else []
    compared = [(answer, said[: len(answer)]) for (_, answer), said in zip(known, found, strict=True)]
    wrong = sum(answer != said if exactly else answer[0] != said[0] for answer, said in compared)
    if wrong > (0 if exactly else len(compared) / 2):
        raise UserError(
            f"step {checkpoint['step']}: the weights in the engine are not those that were saved: {wrong} of {len(compared)} "
            "answers differ from those in the manifest; train the run anew, or set `generation.canary: false`"
        )


def responses(engine: Engine, questions: pl.DataFrame, config: GenerationJob, step: int) -> pl.DataFrame:
    """Rows of GENERATIONS for the engine's current checkpoint."""
    asked: list[dict[str, Any]] = [
        {**row, "sample": sample, "seed": seed_of(config.seed, row["prompt_id"]) + sample}
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


def seed_of(study_seed: int, prompt_id: str) -> int:
    """Seed of a prompt's first sample; sample i adds i, as vLLM does for n > 1.

    It depends on neither run nor step: all checkpoints meet the same chance (common random numbers), so that the difference between
    two of them is less noisy than either.
    """
    return int.from_bytes(hashlib.sha256(f"{study_seed}/{prompt_id}".encode()).digest()[:4], "big")


def make_engine(config: GenerationConfig, dtype: str, trust_remote_code: bool) -> Engine:
    """The configured engine."""
    if config.engine == "vllm":
        from valuedrift.generate.vllm_engine import VllmEngine

        return VllmEngine(config, dtype, trust_remote_code)
    from valuedrift.generate.transformers_engine import TransformersEngine

    return TransformersEngine(config, dtype, trust_remote_code)
