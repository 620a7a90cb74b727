"""Say what a study takes before it runs: time on GPUs, disk, calls of judges and chat models, and money."""

import os
import sys
from pathlib import Path

from valuedrift.chat.spending import shutdown_warning
from valuedrift.config.load import read_files
from valuedrift.errors import UserError
from valuedrift.manage.dag import dag_jobs, planned_workflow
from valuedrift.manage.plan import chat_calls, measured, table
from valuedrift.manage.plan.chat_calls import Use, chats, uses
from valuedrift.manage.plan.disk import disk
from valuedrift.manage.plan.jobs import Job, priced
from valuedrift.manage.plan.schedule import Machines, schedule
from valuedrift.sizing import Sizing
from valuedrift.sizing.shortfalls import shortfalls
from valuedrift.study.load import load_study
from valuedrift.study.study import Study


def run(*, config: list[Path], gpus: int | None = None, cores: int | None = None, check: bool = False) -> None:
    """Print the time, disk and money that the study of the config files takes; later files are merged over earlier ones.

    `--gpus` is how many GPUs there are in all, by default those of the config's `cluster`; `--cores` how many cores, for jobs
    without a GPU. `--check` compares with the times of the jobs that Snakemake has run here.
    """
    study = load_study(read_files(config))
    machines, sizing = _machines(study, gpus, cores), Sizing(study, gpus)
    with planned_workflow(config) as workflow:
        jobs = priced(dag_jobs(workflow), sizing)
    if check:
        print("\n".join(measured.comparison(jobs, machines)))
        return
    calls = uses(sizing.work)
    print("\n".join([*plan(sizing, jobs, calls, machines), "", *chat_calls.lines(calls)]))
    warnings = [
        *shortfalls(sizing, [(job.dag.rule, job.dag.wildcards) for job in jobs]),
        *filter(None, map(shutdown_warning, chats(calls))),
    ]
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def plan(sizing: Sizing, jobs: list[Job], calls: list[Use], machines: Machines) -> list[str]:
    """Return the lines about time and disk."""
    unit = table.Unit.of(jobs, bool(machines.gpus))
    slots, left = schedule(jobs, machines), schedule([job for job in jobs if job.dag.is_pending], machines)
    used = disk(sizing, slots, schedule(jobs, machines, sample_first=True))
    return [
        f"{unit} by run:", *table.by_run(sizing, jobs, calls, unit), "", *table.times(slots, left, machines), *table.disks(used),
        table.sources(sizing), table.LEGEND,
    ]  # fmt: skip


def _machines(study: Study, gpus: int | None, cores: int | None) -> Machines:
    cluster = study.config.cluster
    if gpus is not None and (gpus < 1) != (cluster.most == 0):
        have = f"up to {cluster.most} GPUs for a job: without any, set `cluster: {{device: cpu}}`"
        have = have if cluster.most else "no GPUs: with some, name them in `cluster.device`"
        raise UserError(f"--gpus {gpus}: the config has `cluster.device: {cluster.device}` and {have}")
    found = cluster.most if gpus is None else gpus
    return Machines(found, cores or (found * cluster.cpus_per_gpu if found else os.cpu_count() or 1))
