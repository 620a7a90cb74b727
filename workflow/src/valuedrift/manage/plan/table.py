"""Print the plan: a row for each run, the sums, the critical path and the disk."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import wrap

from valuedrift.manage.plan.chat_calls import Use
from valuedrift.manage.plan.disk import Disk, pruned_bytes
from valuedrift.manage.plan.jobs import Job, of_kind
from valuedrift.manage.plan.schedule import Machines, Slot, critical_path, end, total_seconds
from valuedrift.manage.prune import size
from valuedrift.manage.retraining import duration
from valuedrift.manage.terminal import table
from valuedrift.sizing import Sizing
from valuedrift.sizing.amount import ASSUMED, AT_MOST, NOTHING, Amount

COLUMNS = {"train": "training", "sample": "sampling", "judge": "judging", "bench": "benchmarks"}
WIDTH, SHORTEST_SHARE = 125, 0.01
"""Columns of a line, and the share of the critical path below which one of its jobs is not named."""


@dataclass(frozen=True)
class Unit:
    """Unit of times: of GPUs where the study has any, else of cores."""

    gpus: bool
    seconds: float

    @classmethod
    def of(cls, jobs: list[Job], gpus: bool) -> "Unit":
        """Return hours, or minutes for a study of less than five hours."""
        total = sum(cls(gpus, 1).spent(job).value for job in jobs)
        return cls(gpus, 3600 if total >= 5 * 3600 else 60)

    def __str__(self) -> str:
        return f"{'GPU' if self.gpus else 'core'} {'hours' if self.seconds == 3600 else 'minutes'}"

    def spent(self, job: Job) -> Amount:
        """Return the seconds of a job, times the GPUs or cores that it holds."""
        return job.need.seconds * (job.need.gpus if self.gpus else job.need.threads)

    def format(self, jobs: Iterable[Job]) -> str:
        """Return what the jobs take in this unit; empty for nothing."""
        spent = sum(map(self.spent, jobs), NOTHING)
        number = spent.value / self.seconds
        return spent.marked(f"{number:,.0f}" if number >= 99.5 else f"{number:.1f}") if spent.value or spent.partly else ""


def by_run(sizing: Sizing, jobs: list[Job], uses: list[Use], unit: Unit) -> list[str]:
    """Return a row for each run with hours, disk, calls of judges and their price; then what is of no run, and the sums."""
    judges = [use for use in uses if use.by_run]
    headings = ("run", *COLUMNS, "all", "disk", "pruned", "calls", "price")
    rows = [_row(sizing, run, [job for job in jobs if job.run == run], judges, [run], unit) for run in sizing.study.runs]
    no_run = [job for job in jobs if not job.run]
    if sizing.study.order_checked:
        rows.append(_row(sizing, "orders of the options", of_kind(no_run, "judging"), judges, [""], unit))
    rest = [("reward models", of_kind(jobs, "reward models")), ("downloads, prompts and data", of_kind(no_run, "inputs"))]
    rows += [_row(sizing, name, found, [], [], unit) for name, found in rest]
    rows += [_row(sizing, "all", jobs, judges, [*sizing.study.runs, ""], unit)]
    shown = [i for i in range(len(headings)) if i < 2 or any(row[i] for row in rows)]
    lines = table([headings[i] for i in shown], [[row[i] for i in shown] for row in rows])
    return [*lines[:-1], "", lines[-1]]


def _row(sizing: Sizing, name: str, jobs: list[Job], judges: list[Use], runs: list[str], unit: Unit) -> tuple[str, ...]:
    spent = [unit.format(of_kind(jobs, kind, *(("reward models",) if kind == "training" else ()))) for kind in COLUMNS.values()]
    kept = sum((job.need.disk_bytes for job in jobs), NOTHING)
    pruned = sum((pruned_bytes(sizing, job) for job in jobs), NOTHING)
    asked = [(use, use.by_run[run]) for use in judges for run in runs if run in use.by_run]
    calls = sum((count for _, count in asked), NOTHING)
    price = sum((use.price_of(count) for use, count in asked if use.chat and use.chat.price), NOTHING)
    disks = [amount.marked(size(amount.value)) if amount.value else "" for amount in (kept, pruned)]
    paid = [str(calls) if calls.value or calls.partly else "", price.marked(f"${price.value:,.0f}") if price.value else ""]
    return name, *spent, unit.format(jobs), *disks, *paid


def times(slots: list[Slot], left: list[Slot], machines: Machines) -> list[str]:
    """Return the lines that say how long the study takes on these machines, and on its critical path."""
    path = critical_path([slot.job for slot in slots])
    where = f"{machines.gpus} GPU{'s' * (machines.gpus > 1)}" if machines.gpus else f"{machines.cores} cores"
    together = f"on {where}: {duration(end(slots))}" + (f"; what is left: {duration(end(left))}" if len(left) < len(slots) else "")
    total = total_seconds(path)
    named = [job for job in path if job.need.seconds.value >= SHORTEST_SHARE * total.value]
    chain = " → ".join(f"{job.name} {duration(job.need.seconds)}" for job in named)
    return [together, *_wrapped(f"critical path, however many there are: {duration(total)}: {chain}")]


def disks(found: Disk) -> list[str]:
    """Return the lines about the study's disk."""
    sizes = {name: amount.marked(size(amount.value)) for name, amount in vars(found).items()}
    return _wrapped(
        f"disk at rest: {sizes['kept']}, pruned {sizes['pruned']}; at the peak: {sizes['peak_kept']}, "
        f"or {sizes['peak_pruned']} where each trajectory is measured and pruned before the next training"
        + (f" ({sizes['downloads']} of all these are downloaded models)" if found.downloads.value else "")
    )


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent="  ")


def sources(sizing: Sizing) -> str:
    """Return the line that says how many speeds of the study's device are measured."""
    rows = Counter(row.source for row in sizing.speeds.rows if row.device == sizing.cluster.device)
    counts = " and ".join(f"{number} {source}" for source, number in sorted(rows.items(), reverse=True))
    return f"speeds of {sizing.cluster.device} in {sizing.cluster.speeds}: {counts}"


LEGEND = f"""Without a mark: counted or measured. {ASSUMED} is an estimate, {AT_MOST} the most that it may be.
Times are of all jobs, whatever is done by now, with imports and loading; places in a cluster's queue are not foreseen."""
