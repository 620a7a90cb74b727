"""How much disk a study takes: at rest with its trajectories or without, and at its peak."""

from dataclasses import dataclass
from pathlib import Path

from valuedrift.manage.plan.schedule import Slot
from valuedrift.manage.plan.steps import Step
from valuedrift.sizing import Sizing
from valuedrift.sizing.counts import ASSUMED, NOTHING, Amount
from valuedrift.sizing.gpu_memory import BYTES
from valuedrift.study.lineage import Run

STATE = 3
"""Numbers for each weight in the state that a training under way keeps to go on from: the weight and AdamW's two moments."""
AT_ONCE = 2
"""States that lie there while one replaces the other."""


@dataclass(frozen=True)
class Disk:
    """Bytes."""

    kept: Amount
    """At rest, with all trajectories."""
    pruned: Amount
    """At rest, with final models alone."""
    peak_kept: Amount
    peak_pruned: Amount
    """At the peak, where each trajectory goes as soon as it is measured."""
    downloads: Amount
    """Of models, a part of all of these; data sets are not counted."""


def disk(sizing: Sizing, slots: list[Slot], sampled_first: list[Slot]) -> Disk:
    """The disk of a study whose steps run as in `slots`, or, where trajectories are pruned, in an order that suits it."""
    steps = [slot.step for slot in slots]
    downloads = sum((_download(sizing, folder) for folder in sizing.study.hub_models), NOTHING)
    kept = sum((step.need.disk_bytes for step in steps), downloads)
    pruned = sum((pruned_bytes(sizing, step) for step in steps), downloads)

    def peak(found: list[Slot], prune: bool) -> Amount:
        return Amount(downloads.value + _peak(sizing, found, prune), kept.mark, kept.partly)

    return Disk(kept, pruned, peak(slots, False), peak(sampled_first, True), downloads)


def pruned_bytes(sizing: Sizing, step: Step) -> Amount:
    """What a step leaves behind once trajectories are pruned: of a training the final model."""
    if step.kind != "training":
        return step.need.disk_bytes
    return _weights(sizing, sizing.study.runs[step.run])


def _peak(sizing: Sizing, slots: list[Slot], prune: bool) -> float:
    """The most bytes at once. What a step leaves is there from its start; a training's states are there while it runs."""
    changes = list[tuple[float, float]]()
    for slot in slots:
        step = slot.step
        changes.append((slot.start, step.need.disk_bytes.value))
        if step.kind in ("training", "reward models"):
            run = sizing.study.runs[step.run] if step.run else sizing.study.rewards[step.name.removeprefix("reward model ")]
            state = AT_ONCE * _state(sizing, run, step)
            changes += [(slot.start, state), (slot.end, -state)]
        if prune and step.kind == "sampling" and sizing.study.runs[step.run].training:
            training = next(other.step for other in slots if other.step.run == step.run and other.step.kind == "training")
            changes.append((slot.end, pruned_bytes(sizing, training).value - training.need.disk_bytes.value))
    most = now = 0.0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _weights(sizing: Sizing, run: Run) -> Amount:
    return sizing.parameters(run.model) * BYTES[sizing.study.models[run.model].dtype]


def _state(sizing: Sizing, run: Run, step: Step) -> float:
    """Bytes of a training's state, in float32 where several GPUs share it; PPO trains a value model too."""
    weights = _weights(sizing, run).value
    training = sizing.config.training.of("reward") if step.kind == "reward models" else run.training
    if training and training.lora:
        return weights
    wide = sizing.parameters(run.model).value * 4 if step.need.gpus > 1 else weights
    return STATE * wide * (2 if run.algorithm == "ppo" and step.kind == "training" else 1)


def _download(sizing: Sizing, folder: str) -> Amount:
    """Bytes of a model's download, as they lie here, or else of its weights in 16 bits."""
    files = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    if files:
        return Amount(sum(files))
    path, revision = sizing.study.hub_models[folder]
    told = next(
        (model.parameters for model in sizing.study.models.values() if (model.path, model.revision) == (path, revision)), None
    )
    return sizing.size(path, revision, told) * Amount(2, ASSUMED)
