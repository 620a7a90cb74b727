"""Scores one run's final model on every benchmark, by lm-eval, without a network."""

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from valuedrift.config.downstream import DownstreamJob, TaskConfig
from valuedrift.errors import UserError
from valuedrift.io.manifest import checked, read_manifest
from valuedrift.io.owner import owned
from valuedrift.io.tables import DOWNSTREAM, DOWNSTREAM_QUESTIONS
from valuedrift.lm.loading import loading

# The libraries read these when they are imported. A benchmark can take hours, and a fast progress bar would fill the log.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_MININTERVAL": "60"}


def run(*, config: DownstreamJob, manifest: Path, data: Path, output: Path, questions: Path) -> None:
    """Write one row per benchmark, scored on the final model that the manifest describes, with the datasets in `data`.

    `questions` gets the score of each question, by which runs are compared.
    """
    os.environ.update(ENVIRONMENT)
    from valuedrift.downstream.store import stored
    from valuedrift.downstream.tasks import datasets_from, task_manager

    settings, trained = config.downstream, read_manifest(manifest)
    final = checked(manifest, trained.checkpoints[-1], "final")
    manager = task_manager([settings.name_of(key) for key in settings.tasks], settings.include)
    with owned(output) as owner:
        model, rows, asked = _model(final, config), [], []
        for key, task in settings.tasks.items():
            name = settings.name_of(key)
            with datasets_from(stored(data, key)):
                loaded = manager.load([name])
            results = _evaluate(model, loaded, task, settings.seed, settings.chat and trained.chat)
            rows.append({"run": config.run, "task": key, "shots": task.shots, **score(results, key, name, task.metric)})
            named = {"run": config.run, "task": key}
            asked += [named | row for row in question_scores(results, name, task.metric, rows[-1]["value"])]
            told = f"{config.run}: {key} {task.metric} {rows[-1]['value']:.4f}, {rows[-1]['n']} questions"
            print(told, file=sys.stderr, flush=True)
            owner.ensure()
        DOWNSTREAM_QUESTIONS.write(DOWNSTREAM_QUESTIONS.frame(asked), questions)
        DOWNSTREAM.write(DOWNSTREAM.frame(rows), output)


def _model(folder: Path, config: DownstreamJob) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM

    with loading("the model", folder):
        return HFLM(
            str(folder), backend="causal", device="cuda" if torch.cuda.is_available() else "cpu", dtype=config.dtype,
            batch_size=config.downstream.batch_size, trust_remote_code=config.trust_remote_code, use_safetensors=True,
        )  # fmt: skip


def _evaluate(model: Any, loaded: dict[str, Any], task: TaskConfig, seed: int, chat: bool) -> dict[str, Any]:
    """Return lm-eval's results; its `simple_evaluate` would also spend seconds on collecting facts about the machine."""
    from lm_eval.evaluator import evaluate
    from transformers import set_seed

    from valuedrift.downstream.tasks import prepare_once

    set_seed(seed)
    for name, part in loaded["tasks"].items():
        prepare_once(part)
        set_shots(part, name, task.shots)
        part.set_fewshot_seed(seed)
    results: dict[str, Any] = evaluate(
        lm=model, task_dict=loaded, limit=task.limit, log_samples=True, apply_chat_template=chat, fewshot_as_multiturn=chat
    )
    return results


def set_shots(part: Any, name: str, shots: int) -> None:
    """Set a task's number of examples; raise UserError if the task takes none or has too few."""
    if shots and part.get_config("num_fewshot") == 0:
        raise UserError(
            f"config: `downstream.tasks`: lm-eval's task {name} takes no examples: set `shots: 0`, or choose another task"
        )
    if shots and len(part.sampler.df) <= shots - (part.fewshot_cfg.split != part.config.test_split):
        raise UserError(
            f"config: `downstream.tasks`: {name} has {len(part.sampler.df)} rows for examples, too few for {shots} shots"
        )
    part.set_config("num_fewshot", shots)


def score(results: dict[str, Any], key: str, name: str, metric: str) -> dict[str, Any]:
    """Return the metric of the task or group `name` from lm-eval's results; raise UserError if it is missing or ambiguous."""
    found = {at: value for at, value in results["results"].get(name, {}).items() if "," in at and "_stderr," not in at}
    named = _named(found, metric)
    if len(named) != 1:
        there = ", ".join(at.removesuffix(",none") for at in sorted(found)) or "none, since lm-eval does not aggregate it"
        raise UserError(f"config: `downstream.tasks.{key}.metric`: {metric} is not a metric of {name}; its metrics are: {there}")
    stem, _, kind = named[0].partition(",")
    stderr = results["results"][name][f"{stem}_stderr,{kind}"]
    known = stderr != "N/A" and math.isfinite(stderr)  # a table takes no NaN, and hours of scores must not be lost to one
    return {
        "metric": metric, "value": float(found[named[0]]), "stderr": float(stderr) if known else None,
        "n": results["results"][name]["sample_len"],
    }  # fmt: skip


def question_scores(results: dict[str, Any], name: str, metric: str, value: float) -> list[dict[str, Any]]:
    """Return part, question and score of each question; nothing where their mean is not the benchmark's `value`."""
    stem, _, kind = _named(results["results"][name], metric)[0].partition(",")
    rows = [
        {"part": part, "question": sample["doc_id"], "score": sample[stem]}
        for part, samples in results["samples"].items() for sample in samples if sample["filter"] == kind
    ]  # fmt: skip
    try:
        scores = [float(row["score"]) for row in rows]
    except (TypeError, ValueError):  # the likelihood and the length of a text
        return []
    fits = bool(scores) and math.isclose(math.fsum(scores) / len(scores), value, abs_tol=1e-9)
    return [row | {"score": each} for row, each in zip(rows, scores, strict=True)] if fits else []


def _named(found: Iterable[str], metric: str) -> list[str]:
    """Return lm-eval's names of a metric, which is given with or without its filter."""
    return [at for at in found if metric in (at, at.split(",")[0])]
