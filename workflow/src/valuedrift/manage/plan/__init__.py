"""What a study takes, before it runs: time on GPUs, disk, calls of judges and chat models, and money."""

import os
import sys
from pathlib import Path

from valuedrift.chat.spending import shutdown_warning
from valuedrift.config.load import read_files
from valuedrift.errors import UserError
from valuedrift.manage.plan import chat_calls, measured, table
from valuedrift.manage.plan.chat_calls import Use, chats, uses
from valuedrift.manage.plan.disk import disk
from valuedrift.manage.plan.schedule import Machines, schedule
from valuedrift.manage.plan.steps import Step, steps
from valuedrift.sizing import Sizing
from valuedrift.study.load import load_study
from valuedrift.study.study import Study


def run(*, config: list[Path], gpus: int | None = None, cores: int | None = None, check: bool = False) -> None:
    """Print what the config files, later ones merged over earlier ones, take of time, disk and money.

    `--gpus` is how many GPUs there are in all, by default those of the config's `cluster`; `--cores` how many cores, for jobs
    without a GPU. `--check` compares with what the jobs took that Snakemake has run here.
    """
    study = load_study(read_files(config))
    machines, sizing = _machines(study, gpus, cores), Sizing(study, gpus)
    found = uses(sizing.work)
    all_steps = steps(sizing, found)
    if check:
        print("\n".join(measured.told(all_steps, machines)))
        return
    print("\n".join([*plan(sizing, all_steps, found, machines), "", *chat_calls.told(found)]))
    needed = [one for one in study.runs.values() if one.training]
    warnings = [
        *sizing.lacking(needed, study.rewards),
        *_engines(sizing, found),
        *filter(None, map(shutdown_warning, chats(found))),
    ]
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def plan(sizing: Sizing, found: list[Step], asked: list[Use], machines: Machines) -> list[str]:
    """The lines about time and disk."""
    unit = table.Unit.of(found, bool(machines.gpus))
    slots, left = schedule(found, machines), schedule([step for step in found if not step.done], machines)
    used = disk(sizing, slots, schedule(found, machines, sample_first=True))
    return [
        f"{unit} by run:", *table.by_run(sizing, found, asked, unit), "", *table.times(slots, left, machines), *table.disks(used),
        table.sources(sizing), table.LEGEND,
    ]  # fmt: skip


def _engines(sizing: Sizing, found: list[Use]) -> list[str]:
    """What samplers, judges and served chats lack."""
    runs = list(sizing.study.runs.values())
    judged = [(run, judge) for run in runs for judge in sizing.config.judges]
    return sizing.lacking_engines(runs, judged, [chat.name for chat in chats(found)])


def _machines(study: Study, gpus: int | None, cores: int | None) -> Machines:
    cluster = study.config.cluster
    if gpus is not None and (gpus < 1) != (cluster.most == 0):
        have = f"up to {cluster.most} GPUs for a job: without any, set `cluster: {{device: cpu}}`"
        have = have if cluster.most else "no GPUs: with some, name them in `cluster.device`"
        raise UserError(f"--gpus {gpus}: the config has `cluster.device: {cluster.device}` and {have}")
    found = cluster.most if gpus is None else gpus
    return Machines(found, cores or (found * cluster.cpus_per_gpu if found else os.cpu_count() or 1))
