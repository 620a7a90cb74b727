"""Estimate the disk that a study takes: at rest, with its trajectories or without, and at its peak."""

from dataclasses import dataclass

from valuedrift.manage.plan.jobs import Job, of_kind
from valuedrift.manage.plan.schedule import Slot
from valuedrift.sizing import Sizing
from valuedrift.sizing.amount import NOTHING, Amount
from valuedrift.sizing.train import state_bytes

STATES_KEPT = 2
"""States of a training that are on disk at once, while one replaces the other."""


@dataclass(frozen=True)
class Disk:
    """Bytes."""

    kept: Amount
    """At rest, with all trajectories."""
    pruned: Amount
    """At rest, with final models alone."""
    peak_kept: Amount
    peak_pruned: Amount
    """At the peak, where each trajectory is deleted as soon as it is measured."""
    downloads: Amount
    """Of models, a part of all of these; datasets are not counted."""


def disk(sizing: Sizing, slots: list[Slot], sampled_first: list[Slot]) -> Disk:
    """Return the disk of a study whose jobs run as in `slots`, or, where trajectories are pruned, as in `sampled_first`."""
    jobs = [slot.job for slot in slots]
    kept = sum((job.need.disk_bytes for job in jobs), NOTHING)
    pruned = sum((pruned_bytes(sizing, job) for job in jobs), NOTHING)
    downloads = sum((job.need.disk_bytes for job in jobs if job.dag.rule == "hub_model"), NOTHING)

    def peak(found: list[Slot], prune: bool) -> Amount:
        return Amount(_peak(sizing, found, prune), kept.mark, kept.partly)

    return Disk(kept, pruned, peak(slots, False), peak(sampled_first, True), downloads)


def pruned_bytes(sizing: Sizing, job: Job) -> Amount:
    """Return the bytes that a job leaves behind once trajectories are pruned: of a training the final model."""
    return sizing.weights(sizing.study.runs[job.run].model) if job.kind == "training" else job.need.disk_bytes


def _peak(sizing: Sizing, slots: list[Slot], prune: bool) -> float:
    """Return the most bytes at once. A job's outputs count from its start; a training's states count while it runs."""
    changes = list[tuple[float, float]]()
    trainings = {job.run: job for job in of_kind((slot.job for slot in slots), "training")}
    measured = {slot.job.run: slot for slot in sorted(slots, key=lambda slot: slot.end) if slot.job.kind == "sampling"}
    for slot in slots:
        job = slot.job
        changes.append((slot.start, job.need.disk_bytes.value))
        if job.kind in ("training", "reward models"):
            run = sizing.study.runs[job.run] if job.run else sizing.study.rewards[job.dag.wildcards["reward"]]
            states = STATES_KEPT * state_bytes(sizing, job.dag.rule, run, job.need.gpus)
            changes += [(slot.start, states), (slot.end, -states)]
        if prune and slot is measured.get(job.run) and (training := trainings.get(job.run)):
            changes.append((slot.end, pruned_bytes(sizing, training).value - training.need.disk_bytes.value))
    most = now = 0.0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
