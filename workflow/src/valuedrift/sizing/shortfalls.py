"""Say what to do about jobs that do not fit the GPUs they get."""

from collections.abc import Iterable

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.config.train import TrainingConfig
from valuedrift.sizing.base import Need
from valuedrift.sizing.chat import served_gpus
from valuedrift.sizing.needs import Sizing, Wildcards
from valuedrift.study.chats import chat_of

Job = tuple[str, Wildcards]
"""Rule and wildcards."""


def shortfalls(sizing: Sizing, jobs: Iterable[Job]) -> list[str]:
    """Return a line for each algorithm, model, judge and server whose jobs do not fit, on the one that lacks most."""
    jobs = list(jobs)
    return [*_trainings(sizing, jobs), *_engines(sizing, jobs)]


def _trainings(sizing: Sizing, jobs: list[Job]) -> list[str]:
    worst = dict[str, tuple[Need, str, TrainingConfig]]()
    for rule, wildcards in jobs:
        if rule not in ALGORITHMS or not (need := sizing.need(rule, wildcards)).lacking_gib:
            continue
        if rule not in worst or need.lacking_gib > worst[rule][0].lacking_gib:
            run = sizing.study.runs.get(wildcards.get("run", ""))
            name = run.id if run else f"the reward model {wildcards['reward']}"
            worst[rule] = need, name, (run.training if run else None) or sizing.config.training.of("reward")
    return [
        f"{name} lacks about {need.lacking_gib:.0f} GiB on each of {need.gpus} GPUs, the most of its kind: "
        + " or ".join([*_smaller(rule, training), "give `cluster` larger or more GPUs"])
        for rule, (need, name, training) in worst.items()
    ]


def _engines(sizing: Sizing, jobs: list[Job]) -> list[str]:
    """Return the lines about samplers, judges and served chat models."""
    found = dict[str, tuple[Need, int, str]]()
    for rule, wildcards in jobs if sizing.most_gpus else ():
        engine = _engine(sizing, rule, wildcards)
        if engine is None:
            continue
        name, wanted, advice = engine
        need = sizing.need(rule, wildcards)
        if name not in found or need.lacking_gib > found[name][0].lacking_gib:
            found[name] = need, wanted, advice
    return [
        f"{name} wants {wanted} GPUs and a job gets {sizing.most_gpus}: let it have fewer, or give `cluster` more"
        if wanted > sizing.most_gpus
        else f"{name} lacks about {need.lacking_gib:.0f} GiB on each of {need.gpus} GPUs: {advice}, or take larger GPUs"
        for name, (need, wanted, advice) in found.items()
        if wanted > sizing.most_gpus or need.lacking_gib
    ]


def _engine(sizing: Sizing, rule: str, wildcards: Wildcards) -> tuple[str, int, str] | None:
    """Return name, wanted GPUs and advice for the engine that a job runs; None where it runs none."""
    if rule == "generations":
        block = sizing.config.generation
        return f"sampling {sizing.study.runs[wildcards['run']].model}", *_split(
            "generation", block.engine, block.vllm.tensor_parallel
        )
    name = wildcards.get("judge")
    if name and (judge := sizing.config.judges[name]).path:
        return f"the judge {name}", *_split(f"judges.{name}", judge.backend, judge.vllm.tensor_parallel)
    chat = chat_of(sizing.study, rule, name)
    if chat and sizing.config.chats[chat].server:
        return f"the server of {chat}", served_gpus(sizing.config.chats[chat]), f"split it over more by `chats.{chat}.server`"
    return None


def _split(key: str, engine: str, tensor_parallel: int) -> tuple[int, str]:
    """Return the GPUs that an engine is configured to use, and what to do where they are too small."""
    if engine == "vllm":
        return tensor_parallel, f"raise `{key}.vllm.tensor_parallel`"
    return 1, f"lower `{key}.batch_size`"


def _smaller(algorithm: str, training: TrainingConfig) -> list[str]:
    """Return the settings that make a training smaller and are not set yet."""
    rows = [] if training.device_batch_size == 1 else [f"set `training.{algorithm}.device_batch_size: 1`"]
    return rows + ([] if training.gradient_checkpointing else [f"set `training.{algorithm}.gradient_checkpointing: true`"])
