"""Ask Snakemake for the jobs of a study, in this process and without running any."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness, RerunTrigger

import valuedrift
from valuedrift.errors import UserError

SNAKEFILE = Path(valuedrift.__file__).parents[3] / "Snakefile"
TRIGGERS = frozenset({RerunTrigger.MTIME, RerunTrigger.PARAMS, RerunTrigger.INPUT, RerunTrigger.CODE})
"""As in the profiles: an edited environment alone reruns nothing."""


@dataclass(frozen=True)
class DagJob:
    """One job of Snakemake's graph."""

    name: str
    """Rule and wildcards, which no two jobs share."""
    rule: str
    wildcards: dict[str, str]
    stage: str
    """Name of the rule's file."""
    after: tuple[str, ...] = ()
    """Names of the jobs whose outputs it reads."""
    outputs: tuple[str, ...] = ()
    is_pending: bool = True
    """Whether Snakemake would run it now."""
    ran: tuple[float, float] | None = None
    """When it last started and ended, in seconds since 1970."""


@contextmanager
def planned_workflow(config: list[Path], targets: Iterable[str] = ()) -> Iterator[Any]:
    """Yield Snakemake's workflow with the graph of the targets, by default of the whole study.

    `config` are the config files, later ones merged over earlier ones. Raises UserError if Snakemake cannot build its graph.
    Private members are used because Snakemake's API prints its graph and does not return it.
    """
    with SnakemakeApi(OutputSettings(quiet=frozenset({Quietness.ALL}), enable_file_logging=False)) as api:
        try:
            workflow_api = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[path.absolute() for path in config]),
                snakefile=SNAKEFILE,
            )
            workflow_api.dag(DAGSettings(targets=frozenset(targets), rerun_triggers=TRIGGERS))
            workflow = workflow_api._workflow
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
        except WorkflowError as error:
            raise UserError(f"Snakemake cannot plan the study: {str(error).strip()}") from error
        yield workflow


def dag_jobs(workflow: Any) -> list[DagJob]:
    """Return the jobs of a workflow's graph, each after those whose outputs it reads; rules that only name targets have none."""
    dag = workflow.dag
    names = {job: " ".join([job.rule.name, *filter(None, map(str, job.wildcards))]) for job in dag.jobs if not job.is_norun}
    return [
        DagJob(
            names[job],
            job.rule.name,
            {name: str(value) for name, value in job.wildcards.items()},
            Path(str(job.rule.snakefile)).stem,
            tuple(names[above] for above in dag.dependencies[job]),
            tuple(map(str, job.output)),
            dag.needrun(job),
            _ran(map(workflow.persistence.metadata, job.output)),
        )
        for level in dag.toposorted()
        for job in level
        if job in names
    ]


def _ran(records: Iterable[Any]) -> tuple[float, float] | None:
    """Return start and end by the first of a job's outputs of which Snakemake has a record."""
    return next(((record.starttime, record.endtime) for record in records if record and record.starttime and record.endtime), None)
