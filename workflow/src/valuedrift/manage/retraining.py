"""Find what a pruned study would have to train anew, and whether it may, in Snakemake's graph before any job runs.

Sampling names a run's trajectory as its input, so Snakemake treats a deleted one like a temp file: it misses it only where
a job that needs it must run, and then runs the training and all jobs below it. `allow_retrain` makes parents ancient to the
trainings below them, so that only what was deleted is trained anew; where a parent then comes out otherwise than before, its
checksum brings back its children in the next run.
"""

from pathlib import Path
from typing import Any

from valuedrift.config.algorithms import ALGORITHMS
from valuedrift.errors import UserError
from valuedrift.io.files import usable
from valuedrift.io.manifest import read_manifest
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.amount import NOTHING, Amount
from valuedrift.study.inputs import is_pruned
from valuedrift.study.study import Study

OWN_REASONS = (
    "params_changed",
    "code_changed",
    "input_changed",
    "software_stack_changed",
    "forced",
    "incomplete_output",
    "updated_input",
)
"""Snakemake's reasons to run a job that lie in the job itself; the others are a missing output and a job above it that must run."""


def retrained(dag: Any) -> list[Any]:
    """Return the jobs that train anew only because a trajectory was deleted: their own, or that of a training above."""
    known: dict[Any, bool] = {}

    def only_pruned(job: Any) -> bool:
        if job not in known:
            above = [up for up, files in dag.dependencies[job].items() if files & dag.reason(job).updated_input_run]
            known[job] = (
                job.rule.name in ALGORITHMS
                and not any(getattr(dag.reason(job), name, False) for name in OWN_REASONS)
                and all(is_pruned(Path(file).parent) and Path(file).name == "trajectory" for file in dag.reason(job).missing_output)
                and all(map(only_pruned, above))
            )
        return known[job]

    return [job for job in dag.needrun_jobs() if only_pruned(job)]


def left_behind(dag: Any, jobs: list[Any]) -> list[tuple[Any, Any]]:
    """Return the trainings that `allow_retrain` would leave as they are although their parent changes, and the parents' jobs."""
    changed = [job for job in dag.needrun_jobs() if job.rule.name in ALGORITHMS and job not in jobs]
    below = [(child, job) for job in changed for child in dag.depending[job] if child.rule.name in ALGORITHMS]
    return [(child, job) for child, job in below if not dag.needrun(child)]


def check_retraining(study: Study, dag: Any) -> None:
    """Raise UserError if the study needs deleted trajectories and may not train them anew, or not yet."""
    jobs = retrained(dag)
    # With `allow_retrain` only these are trained: what lies below them, reward models too, has no trajectory missing.
    deleted = [_name(job) for job in jobs if dag.reason(job).missing_output]
    if deleted and not study.config.allow_retrain:
        raise UserError(price(study, deleted))
    if study.config.allow_retrain and (left := left_behind(dag, jobs)):
        (child, parent), manifests = left[0], {str(parent.output.manifest) for _, parent in left}
        raise UserError(
            f"{_name(parent)} is trained anew for reasons of its own, and `allow_retrain` would leave {_name(child)} as it is:"
            f" first make what changed without `allow_retrain`: {' '.join(sorted(manifests))}"
        )


def price(study: Study, trained: list[str]) -> str:
    """Return the message on what training these runs and reward models anew costs."""
    sizing = Sizing(study)
    needs = {name: _need(sizing, name) for name in [*study.runs, *study.rewards] if name in trained}
    names = max(map(len, needs))
    lines = [f"  {name:{names}}  {_steps(study, name)} steps, {cost(need)}" for name, need in needs.items()]
    total = sum((need.seconds * max(1, need.gpus) for need in needs.values()), NOTHING)
    sums = f"{len(needs)} trainings, {duration(total)}" + " of a GPU" * any(need.gpus for need in needs.values())
    allow = f"  {sums}. Undo the edit, or allow it with `--config allow_retrain=true`"
    return "\n".join(["trajectories that were pruned are needed again; training them anew costs:", *lines, allow])


def cost(need: Need) -> str:
    """Return how long a job takes, and on how many GPUs."""
    return duration(need.seconds) + (f" on {need.gpus} GPU{'s' * (need.gpus > 1)}" if need.gpus else "")


def duration(seconds: Amount) -> str:
    """Return a time as text in seconds, minutes or hours."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if (number := seconds.value / length) >= 1.95:
            return seconds.marked(f"{number:,.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}")
    return seconds.marked(f"{seconds.value:.0f} second{'s' * (round(seconds.value) != 1)}")


def _name(job: Any) -> str:
    return str(job.wildcards.reward if job.rule.name == "reward" else job.wildcards.run)


def _need(sizing: Sizing, name: str) -> Need:
    run = sizing.study.runs.get(name)
    return sizing.need(run.algorithm, {"run": name}) if run else sizing.need("reward", {"reward": name})


def _steps(study: Study, name: str) -> str:
    folder = Path(study.folder_of(name) if name in study.runs else f"{study.folder}/rewards/{name}")
    manifest = usable(read_manifest, folder / "manifest.json")
    return f"{manifest.total_steps:,}" if manifest else "?"
