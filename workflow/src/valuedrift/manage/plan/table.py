"""The plan as it is printed: a row for each run, the sums, the critical path and the disk."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from valuedrift.manage.plan.chat_calls import Use
from valuedrift.manage.plan.disk import Disk, pruned_bytes
from valuedrift.manage.plan.schedule import Machines, Slot, critical_path, end, length
from valuedrift.manage.plan.steps import Step, of_kind
from valuedrift.manage.prune import size
from valuedrift.manage.retraining import duration
from valuedrift.sizing import Sizing
from valuedrift.sizing.counts import ASSUMED, AT_MOST, NOTHING, Amount

WORK = {"train": "training", "sample": "sampling", "judge": "judging", "bench": "benchmarks"}
WIDTH, SHOWN = 125, 0.01
"""Columns of a line, and the share of the critical path below which one of its steps is not named."""


@dataclass(frozen=True)
class Unit:
    """What times are told in: of GPUs where the study has any, else of cores."""

    gpus: bool
    seconds: float

    @classmethod
    def of(cls, steps: list[Step], gpus: bool) -> "Unit":
        """Hours, or minutes for a study of a few hours."""
        total = sum(cls(gpus, 1).spent(step).value for step in steps)
        return cls(gpus, 3600 if total >= 5 * 3600 else 60)

    def __str__(self) -> str:
        return f"{'GPU' if self.gpus else 'core'} {'hours' if self.seconds == 3600 else 'minutes'}"

    def spent(self, step: Step) -> Amount:
        """Seconds of a step, times what it holds."""
        return step.need.seconds * (step.need.gpus if self.gpus else step.need.threads)

    def told(self, steps: Iterable[Step]) -> str:
        spent = sum(map(self.spent, steps), NOTHING)
        number = spent.value / self.seconds
        return spent.told(f"{number:,.0f}" if number >= 99.5 else f"{number:.1f}") if spent.value or spent.partly else ""


def by_run(sizing: Sizing, steps: list[Step], uses: list[Use], unit: Unit) -> list[str]:
    """A row for each run with its hours, disk, calls of judges and their price; reward models and the rest below, and the sums."""
    judges = [use for use in uses if use.by_run]
    rows: list[tuple[str, ...]] = [("run", *WORK, "all", "disk", "pruned", "calls", "price")]
    rows += [_row(sizing, run, [s for s in steps if s.run == run], judges, [run], unit) for run in sizing.study.runs]
    beside = [
        ("reward models", of_kind(steps, "reward models")),
        ("prompts and data", [s for s in of_kind(steps, "inputs") if not s.run]),
    ]
    rows += [_row(sizing, name, found, [], [], unit) for name, found in beside]
    rows += [_row(sizing, "all", steps, judges, list(sizing.study.runs), unit)]
    shown = [i for i in range(len(rows[0])) if i < 2 or any(row[i] for row in rows[1:])]
    table = aligned([[row[i] for i in shown] for row in rows])
    return [*table[:-1], "", table[-1]]


def _row(sizing: Sizing, name: str, steps: list[Step], judges: list[Use], runs: list[str], unit: Unit) -> tuple[str, ...]:
    spent = [unit.told(of_kind(steps, kind, *(("reward models",) if kind == "training" else ()))) for kind in WORK.values()]
    kept = sum((step.need.disk_bytes for step in steps), NOTHING)
    pruned = sum((pruned_bytes(sizing, step) for step in steps), NOTHING)
    calls = sum((use.by_run[run] for use in judges for run in runs), NOTHING)
    price = sum((use.price_of(use.by_run[run]) for use in judges for run in runs if use.chat and use.chat.price), NOTHING)
    disks = [amount.told(size(amount.value)) if amount.value else "" for amount in (kept, pruned)]
    told = [str(calls) if calls.value or calls.partly else "", price.told(f"${price.value:,.0f}") if price.value else ""]
    return name, *spent, unit.told(steps), *disks, *told


def times(slots: list[Slot], left: list[Slot], machines: Machines) -> list[str]:
    """How long the study takes on these machines, and on its critical path."""
    steps = [slot.step for slot in slots]
    path = critical_path(steps)
    where = f"{machines.gpus} GPU{'s' * (machines.gpus > 1)}" if machines.gpus else f"{machines.cores} cores"
    together = f"on {where}: {duration(end(slots))}" + (f"; what is left: {duration(end(left))}" if len(left) < len(slots) else "")
    named = [step for step in path if step.need.seconds.value >= SHOWN * length(path).value]
    chain = " → ".join(f"{_stage(step)} {duration(step.need.seconds)}" for step in named)
    return [together, *_wrapped(f"critical path, however many there are: {duration(length(path))}: {chain}")]


def _stage(step: Step) -> str:
    return f"training {step.name}" if step.kind == "training" else step.name


def disks(found: Disk) -> list[str]:
    """The study's disk."""
    told = {name: amount.told(size(amount.value)) for name, amount in vars(found).items()}
    return _wrapped(
        f"disk at rest: {told['kept']}, pruned {told['pruned']}; at the peak: {told['peak_kept']}, "
        f"or {told['peak_pruned']} where each trajectory is measured and pruned before the next training"
        + (f" ({told['downloads']} of all these are downloaded models)" if found.downloads.value else "")
    )


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent="  ")


def sources(sizing: Sizing) -> str:
    """Which of the speeds of the study's device are measured."""
    rows = Counter(row.source for row in sizing.speeds.rows if row.device == sizing.cluster.device)
    told = " and ".join(f"{number} {source}" for source, number in sorted(rows.items(), reverse=True))
    return f"speeds of {sizing.cluster.device} in {sizing.cluster.speeds}: {told}"


def aligned(rows: Sequence[Sequence[str]], texts: int = 1) -> list[str]:
    """Rows as lines; the first `texts` columns are text, the others numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(w) if i < texts else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


LEGEND = f"""Without a mark: counted or measured. {ASSUMED} is an estimate, {AT_MOST} the most that it may be.
Times are of all jobs, whatever is done by now, with imports and loading; places in a cluster's queue are not foreseen."""
