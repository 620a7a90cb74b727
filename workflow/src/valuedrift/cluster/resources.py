"""Turn what jobs need into what they request of Snakemake and SLURM, and say which of them run where Snakemake does."""

import math
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from valuedrift.cluster.accelerate import launcher
from valuedrift.cluster.local_gpus import gpus_here
from valuedrift.cluster.partitions import longest, partitions, roomiest, unplaced
from valuedrift.errors import UserError
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.shortfalls import shortfalls
from valuedrift.study.chats import chat_of, is_service
from valuedrift.study.study import Study

PARTITIONS = Path("profiles/slurm/partitions.yaml")
JUDGED_BY_SERVICES = ("service_stances", "service_order_check")
"""The rules whose judges are services."""


class JobResources:
    """Requests of a study's jobs.

    `executor` and `partition_file` return the name of Snakemake's executor and the file of the cluster's partitions; both are known
    only once the jobs are planned, and in a dry run neither is.
    """

    def __init__(self, study: Study, executor: Callable[[], str | None], partition_file: Callable[[], Path | None]) -> None:
        self.study, self.executor, self.partition_file = study, executor, partition_file
        network = study.config.cluster.network
        self.network_partition = None if network == "local" else network

    @cached_property
    def sizing(self) -> Sizing:
        """The needs of the jobs: where they run on this machine, none gets more GPUs than are here."""
        # Inside a SLURM job the GPUs that it was given are here, and are used even where its need now comes out otherwise than at
        # submission.
        local = self.executor() in ("local", "slurm-jobstep")
        return Sizing(self.study, gpus_here() if local else None)

    def need(self, rule: str, wildcards: Any) -> Need:
        """Return what a job of the rule needs, by Snakemake's wildcards."""
        return self.sizing.need(rule, dict(wildcards.items()))

    def resources(self, rule: str) -> dict[str, Any]:
        """Return the `resources:` of a rule: memory and time grow with each attempt, up to the limits of a partition."""
        partition = self.network_partition if self.calls_service(rule) else None
        return {
            "gpu": lambda wildcards: self.need(rule, wildcards).gpus,
            "mem_mb": lambda wildcards, attempt: self.megabytes(self.need(rule, wildcards), attempt, partition),
            "runtime": lambda wildcards, attempt: self.minutes(self.need(rule, wildcards), attempt, partition),
            **({"slurm_partition": partition} if partition else {}),
            **({"api": self.api_slots(rule)} if self.calls_service(rule) else {}),
        }

    def threads(self, rule: str) -> Callable[[Any], int]:
        """Return the `threads:` of a rule."""
        return lambda wildcards: self.need(rule, wildcards).threads

    def calls_service(self, rule: str) -> bool:
        """Return True if jobs of the rule call a chat model that is a service elsewhere."""
        return rule in JUDGED_BY_SERVICES or is_service(self.study, chat_of(self.study, rule))

    def runs_locally(self, rule: str) -> bool:
        """Return True if jobs of the rule can run as local rules: they call no chat model, or one reachable from the login node."""
        return self.network_partition is None if self.calls_service(rule) else chat_of(self.study, rule) is None

    def api_slots(self, rule: str) -> Any:
        """Return the `api` slots of a job: 1 where it calls a service live; a batch may take a day, and has no pace to share."""

        def slots(chat: str | None) -> int:
            return int(chat is not None and not self.study.config.chats[chat].batch)

        if rule in JUDGED_BY_SERVICES:
            return lambda wildcards: slots(chat_of(self.study, rule, wildcards.judge))
        return slots(chat_of(self.study, rule))

    @property
    def service_judges(self) -> list[str]:
        """Names of the judges that are services."""
        return [name for name, judge in self.study.config.judges.items() if is_service(self.study, judge.chat)]

    def minutes(self, need: Need, attempt: int, partition: str | None) -> int:
        """Return the time limit to request: no more than a partition gives, since no node takes such a job; a training resumes."""
        return int(min(need.minutes(attempt), self._limit(longest, need, partition)))

    def megabytes(self, need: Need, attempt: int, partition: str | None) -> int:
        """Return the memory to request (MiB): a retry asks for no more than a partition gives."""
        return need.megabytes(attempt, self._limit(roomiest, need, partition))

    def launch_command(self, gpus: int, threads: int) -> str:
        """Return what starts a training on the GPUs of its job, in place of `python`."""
        # Snakemake gives each rank all of the job's cores.
        share = f"OMP_NUM_THREADS={max(1, threads // gpus)} " if gpus > 1 else ""
        return share + launcher(gpus, self.study.config.cluster.strategy)

    def warnings(self, jobs: Iterable[Any], is_local: Callable[[Any], bool]) -> list[str]:
        """Return what to do about Snakemake's jobs that do not fit their GPUs or any partition."""
        jobs = list(jobs)
        lines = shortfalls(self.sizing, [(job.rule.name, dict(job.wildcards.items())) for job in jobs])
        if not (path := self.partition_file()):
            return lines
        lines += unplaced(path, [job for job in jobs if not is_local(job.rule)])
        if self.network_partition and self.network_partition not in partitions(path):
            lines.append(f"`cluster.network: {self.network_partition}` is not in {path}: no time limit is known for its jobs")
        return lines

    def _limit(self, limit: Callable[[Path, int, str | None], float], need: Need, partition: str | None) -> float:
        """Return the most that a partition gives, `longest` or `roomiest`; infinite where no partitions are known."""
        path = self.partition_file()
        try:
            return limit(path, need.gpus, partition) if path else math.inf
        except UserError as error:
            raise WorkflowError(str(error)) from error


def partition_mistake(path: Path = PARTITIONS) -> str | None:
    """Return what is wrong in the profile's file of partitions, so that a dry run, which does not read it, shows it; else None."""
    try:
        if path.exists():
            partitions(path)
    except UserError as error:
        return str(error)
    return None
