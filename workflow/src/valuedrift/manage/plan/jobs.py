"""Price the jobs of Snakemake's graph by the table of needs."""

from collections.abc import Iterable
from dataclasses import dataclass

from valuedrift.config.algorithms import RUN_ALGORITHMS
from valuedrift.manage.dag import DagJob
from valuedrift.sizing import Need, Sizing
from valuedrift.study.chats import chat_of, is_service
from valuedrift.study.study import Study

KINDS = {
    **dict.fromkeys(RUN_ALGORITHMS, "training"),
    "reward": "reward models",
    "generations": "sampling",
    "stances": "judging",
    "service_stances": "judging",
    "order_check": "judging",
    "service_order_check": "judging",
    "downstream": "benchmarks",
}
"""Rule -> kind of its jobs; those of other rules are `tables` or `inputs`."""
TABLE_STAGES = ("drift", "human", "report")


@dataclass(frozen=True)
class Job:
    """One job and what it needs."""

    dag: DagJob
    need: Need
    uses_service: bool = False
    """Whether it calls a service live, whose whole pace one job takes."""

    @property
    def name(self) -> str:
        """Rule and wildcards."""
        return self.dag.name

    @property
    def run(self) -> str:
        """Id of the run that it belongs to; empty for none."""
        return self.dag.wildcards.get("run", "")

    @property
    def kind(self) -> str:
        """What the plan sums it under."""
        return KINDS.get(self.dag.rule, "tables" if self.dag.stage in TABLE_STAGES else "inputs")


def priced(found: Iterable[DagJob], sizing: Sizing) -> list[Job]:
    """Return the jobs with their needs."""
    return [Job(job, sizing.need(job.rule, job.wildcards), _uses_service(job, sizing.study)) for job in found]


def of_kind(jobs: Iterable[Job], *kinds: str) -> list[Job]:
    """Return the jobs of these kinds."""
    return [job for job in jobs if job.kind in kinds]


def _uses_service(job: DagJob, study: Study) -> bool:
    chat = chat_of(study, job.rule, job.wildcards.get("judge"))
    return chat is not None and is_service(study, chat) and not study.config.chats[chat].batch
