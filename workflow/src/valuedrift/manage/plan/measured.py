"""The plan beside what really happened, as Snakemake has written it down."""

import base64
import json
from collections import defaultdict
from pathlib import Path

from valuedrift.errors import UserError
from valuedrift.manage.plan.schedule import Machines, end, schedule
from valuedrift.manage.plan.steps import Step
from valuedrift.manage.plan.table import aligned

METADATA = Path(".snakemake/metadata")


def told(steps: list[Step], machines: Machines) -> list[str]:
    """Seconds of each kind of step, planned and measured, and of all together on these machines, of the steps that Snakemake has
    run here; raises UserError for none."""
    ran = times()
    pairs = [(step, *ran[str(step.output)]) for step in steps if str(step.output) in ran]
    if not pairs:
        raise UserError(f"{METADATA} tells of none of the study's jobs: run the study here first")
    sums = defaultdict[str, list[float]](lambda: [0, 0.0, 0.0])
    for step, start, finish in pairs:
        for kind in (step.kind, "all jobs"):
            sums[kind] = [have + more for have, more in zip(sums[kind], (1, step.need.seconds.value, finish - start), strict=True)]
    slots = schedule([step for step, *_ in pairs], machines)
    sums["all on the clock"] = [len(pairs), end(slots).value, busy([(start, finish) for _, start, finish in pairs])]
    rows: list[tuple[str, ...]] = [("", "jobs", "planned s", "measured s", "planned / measured")]
    rows += [(k, f"{sums[k][0]:.0f}", *(f"{s:,.0f}" for s in sums[k][1:]), f"{sums[k][1] / sums[k][2]:.2f}") for k in _order(sums)]
    missing = [step.name for step in steps if str(step.output) not in ran]
    return aligned(rows) + ([f"not run here: {', '.join(missing)}"] if missing else [])


def times() -> dict[str, tuple[float, float]]:
    """Output → when the job that made it began and ended, in seconds since 1970."""
    found = dict[str, tuple[float, float]]()
    for path in METADATA.rglob("*"):
        if path.is_file():
            # Long names are split into folders, whose names begin with @.
            name = "".join(part.removeprefix("@") for part in path.relative_to(METADATA).parts)
            record = json.loads(path.read_text())
            if record.get("starttime") and record.get("endtime"):
                found[base64.urlsafe_b64decode(name).decode()] = record["starttime"], record["endtime"]
    return found


def busy(spans: list[tuple[float, float]]) -> float:
    """Seconds in which at least one of them runs: so a study that ran in several goes has no pauses."""
    total, until = 0.0, float("-inf")
    for start, finish in sorted(spans):
        total += max(0.0, finish - max(start, until))
        until = max(until, finish)
    return total


def _order(kinds: dict[str, list[float]]) -> list[str]:
    return [kind for kind in kinds if not kind.startswith("all")] + ["all jobs", "all on the clock"]
