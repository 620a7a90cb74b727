"""Compare the plan with what Snakemake recorded of its jobs."""

from collections import defaultdict
from collections.abc import Sequence

from valuedrift.errors import UserError
from valuedrift.manage.plan.jobs import Job
from valuedrift.manage.plan.schedule import Machines, end, schedule
from valuedrift.manage.terminal import table

HEADINGS = ("", "jobs", "planned s", "measured s", "planned / measured")


def comparison(jobs: Sequence[Job], machines: Machines) -> list[str]:
    """Return the seconds of each kind of job, planned and measured, and of all together on these machines, for the jobs that ran.

    Raises UserError if none ran here.
    """
    ran = [(job, job.dag.ran) for job in jobs if job.dag.ran]
    if not ran:
        raise UserError(".snakemake/metadata has none of the study's jobs: run the study here first")
    sums = defaultdict[str, list[float]](lambda: [0, 0.0, 0.0])
    for job, (start, finish) in ran:
        for kind in (job.kind, "all jobs"):
            sums[kind] = [have + more for have, more in zip(sums[kind], (1, job.need.seconds.value, finish - start), strict=True)]
    sums["all jobs"] = sums.pop("all jobs")  # last
    planned = end(schedule([job for job, _ in ran], machines))
    sums["all on the clock"] = [len(ran), planned.value, busy_seconds([span for _, span in ran])]
    rows = [
        (kind, f"{number:.0f}", f"{planned:,.0f}", f"{measured:,.0f}", f"{planned / measured:.2f}")
        for kind, (number, planned, measured) in sums.items()
    ]
    missing = [job.name for job in jobs if not job.dag.ran]
    return table(HEADINGS, rows) + ([f"not run here: {', '.join(missing)}"] if missing else [])


def busy_seconds(spans: Sequence[tuple[float, float]]) -> float:
    """Return the seconds in which at least one job runs, so that the pauses of a study that ran in several goes do not count."""
    total, until = 0.0, float("-inf")
    for start, finish in sorted(spans):
        total += max(0.0, finish - max(start, until))
        until = max(until, finish)
    return total
