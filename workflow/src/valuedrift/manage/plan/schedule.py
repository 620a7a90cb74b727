"""Schedule the jobs of a study on a number of GPUs: the critical path, and how long all take."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from valuedrift.manage.plan.jobs import Job
from valuedrift.sizing.amount import NOTHING, Amount


@dataclass(frozen=True)
class Slot:
    """When a job runs, in seconds from the beginning."""

    job: Job
    start: float
    end: float


@dataclass(frozen=True)
class Machines:
    """The GPUs there are and, for jobs without them, the cores."""

    gpus: int
    cores: int

    def holds(self, job: Job) -> tuple[int, int, int]:
        """Return the GPUs, cores and services that a job holds; one that wants more than there are holds all."""
        service = int(job.uses_service)
        if job.need.gpus and self.gpus:
            return min(job.need.gpus, self.gpus), 0, service
        return 0, min(job.need.threads, self.cores), service


def graph(jobs: Sequence[Job]) -> "nx.DiGraph[str]":
    """Return the jobs by name, with an edge from each to those that read its outputs; an edge weighs the seconds of the reader."""
    found: nx.DiGraph[str] = nx.DiGraph()
    for job in jobs:
        found.add_node(job.name, job=job)
    for job in jobs:
        found.add_edges_from((name, job.name, {"weight": job.need.seconds.value}) for name in job.dag.after if name in found)
    return found


def critical_path(jobs: Sequence[Job]) -> list[Job]:
    """Return the chain of jobs, each waiting for the one before, that takes longest: no number of GPUs makes a study faster."""
    found, start = graph(jobs), "start of the study"
    roots = [name for name, above in found.in_degree() if not above]
    found.add_edges_from((start, name, {"weight": found.nodes[name]["job"].need.seconds.value}) for name in roots)
    return [found.nodes[name]["job"] for name in nx.dag_longest_path(found) if name != start]


def schedule(jobs: Sequence[Job], machines: Machines, sample_first: bool = False) -> list[Slot]:
    """Return the slots of list scheduling: whenever something is free, the ready job with the longest path below it starts.

    With `sample_first` no training starts before every other ready job, so that few trajectories lie unmeasured. Jobs that call
    a service run one at a time, as Snakemake runs them. The end of the last slot is at most (2 - 1/G) times the shortest possible
    where every job takes one of G GPUs (Graham 1966).
    """
    found = graph(jobs)
    below = _seconds_below(found)
    waits = dict(found.in_degree())
    ready = [job for job in jobs if not waits[job.name]]
    running: list[tuple[float, str]] = []
    free, now, slots = (machines.gpus, machines.cores, 1), 0.0, list[Slot]()
    while ready or running:
        blocked = False
        for job in sorted(ready, key=lambda job: (sample_first and job.kind == "training", -below[job.name])):
            held = machines.holds(job)
            if blocked and job.kind == "training":
                break
            if all(has >= wants for has, wants in zip(free, held, strict=True)):
                free = _add(free, held, -1)
                end = now + job.need.seconds.value
                slots.append(Slot(job, now, end))
                heapq.heappush(running, (end, job.name))
                ready.remove(job)
            else:
                blocked = sample_first
        now, name = heapq.heappop(running)
        free = _add(free, machines.holds(found.nodes[name]["job"]), 1)
        for reader in found.successors(name):
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(found.nodes[reader]["job"])
    return slots


def end(slots: Sequence[Slot]) -> Amount:
    """Return the seconds until the last job ends."""
    doubts = total_seconds([slot.job for slot in slots])
    return Amount(max((slot.end for slot in slots), default=0.0), doubts.mark, doubts.partly)


def total_seconds(jobs: Sequence[Job]) -> Amount:
    """Return the seconds of the jobs one after another."""
    return sum((job.need.seconds for job in jobs), NOTHING)


def _seconds_below(found: "nx.DiGraph[str]") -> dict[str, float]:
    """Return job -> seconds from its start to the end of the longest path that begins with it."""
    below = dict[str, float]()
    for name in reversed(list(nx.topological_sort(found))):
        after = max((below[reader] for reader in found.successors(name)), default=0.0)
        below[name] = found.nodes[name]["job"].need.seconds.value + after
    return below


def _add(a: tuple[int, int, int], b: tuple[int, int, int], sign: int) -> tuple[int, int, int]:
    return a[0] + sign * b[0], a[1] + sign * b[1], a[2] + sign * b[2]
