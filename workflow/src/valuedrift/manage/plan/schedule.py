"""When the jobs of a study could run on so many GPUs: the critical path, and how long all take."""

import heapq
from collections import defaultdict
from dataclasses import dataclass

from valuedrift.manage.plan.steps import Step
from valuedrift.sizing.counts import NOTHING, Amount


@dataclass(frozen=True)
class Slot:
    """When a step runs, in seconds from the beginning."""

    step: Step
    start: float
    end: float


@dataclass(frozen=True)
class Machines:
    """What there is of GPUs and, for jobs without them, of cores."""

    gpus: int
    cores: int

    def hold(self, step: Step) -> tuple[int, int]:
        """GPUs and cores that a step takes; one that wants more than there are takes all."""
        if step.need.gpus and self.gpus:
            return min(step.need.gpus, self.gpus), 0
        return 0, min(step.need.threads, self.cores)


def critical_path(steps: list[Step]) -> list[Step]:
    """The steps, each waiting for the one before, that together take longest: no number of GPUs makes a study faster."""
    tails, named = _tails(steps), {step.name: step for step in steps}
    below = _below(steps)
    path = [max(steps, key=lambda step: tails[step.name])] if steps else []
    while path and (after := below[path[-1].name]):
        path.append(named[max(after, key=lambda name: tails[name])])
    return path


def schedule(steps: list[Step], machines: Machines, sample_first: bool = False) -> list[Slot]:
    """List scheduling: whenever something is free, of the steps that can run, first the one with the longest path below it.

    With `sample_first` trainings wait for what can be sampled, so that few trajectories lie unmeasured.
    Steps that ask a service run one at a time, as Snakemake runs them. The end of the last slot is at most (2 - 1/G) times the
    shortest possible where every step takes one of G GPUs (Graham 1966).
    """
    tails, below, named = _tails(steps), _below(steps), {step.name: step for step in steps}
    waits = {step.name: sum(name in named for name in step.after) for step in steps}
    ready = [name for name, number in waits.items() if not number]
    running: list[tuple[float, str]] = []
    free, now, slots = [machines.gpus, machines.cores, 1], 0.0, list[Slot]()
    while ready or running:
        for name in sorted(ready, key=lambda name: (sample_first and named[name].kind == "training", -tails[name])):
            held = (*machines.hold(named[name]), int(named[name].service))
            if all(has >= wants for has, wants in zip(free, held, strict=True)):
                free = [has - wants for has, wants in zip(free, held, strict=True)]
                end = now + named[name].need.seconds.value
                slots.append(Slot(named[name], now, end))
                heapq.heappush(running, (end, name))
                ready.remove(name)
        now, name = heapq.heappop(running)
        held = (*machines.hold(named[name]), int(named[name].service))
        free = [has + wants for has, wants in zip(free, held, strict=True)]
        for child in below[name]:
            waits[child] -= 1
            if not waits[child]:
                ready.append(child)
    return slots


def end(slots: list[Slot]) -> Amount:
    """Seconds until the last of them ends."""
    doubts = length([slot.step for slot in slots])
    return Amount(max((slot.end for slot in slots), default=0.0), doubts.mark, doubts.partly)


def length(steps: list[Step]) -> Amount:
    """Seconds of the steps, one after another."""
    return sum((step.need.seconds for step in steps), NOTHING)


def _below(steps: list[Step]) -> dict[str, list[str]]:
    names, below = {step.name for step in steps}, defaultdict[str, list[str]](list)
    for step in steps:
        for name in step.after:
            if name in names:
                below[name].append(step.name)
    return below


def _tails(steps: list[Step]) -> dict[str, float]:
    """Step → seconds from its beginning to the end of the longest path below it; steps stand after those that they wait for."""
    below, tails = _below(steps), dict[str, float]()
    for step in reversed(steps):
        tails[step.name] = step.need.seconds.value + max((tails[name] for name in below[step.name]), default=0.0)
    return tails
