"""What a study that was pruned would have to train anew, and whether it may: asked of Snakemake's graph before any job runs.

Sampling names a run's trajectory as its input, so Snakemake takes a deleted one as it takes a temp file: it misses it only where
a job that needs it must run, and then runs the training, and all that lies below. `allow_retrain` makes parents ancient to the
trainings below them, so that only what was deleted is trained anew; where a parent then comes out otherwise than before, its
checksum brings back its children in the next run.
"""

import json
from pathlib import Path
from typing import Any

from valuedrift.errors import UserError
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.counts import NOTHING, Amount
from valuedrift.study.inputs import is_pruned
from valuedrift.study.study import Study

TRAININGS = {"sft", "dpo", "simpo", "ppo", "reward"}
OWN = ("params_changed", "code_changed", "input_changed", "software_stack_changed", "forced", "incomplete_output", "updated_input")
"""Snakemake's reasons that lie in a job itself; the others are a missing output and a job above that must run."""


def retrained(dag: Any) -> list[Any]:
    """Jobs of Snakemake's graph that train anew only because a trajectory was deleted: theirs, or that of a training above."""
    known: dict[Any, bool] = {}

    def only_pruned(job: Any) -> bool:
        if job not in known:
            above = [up for up, files in dag.dependencies[job].items() if files & dag.reason(job).updated_input_run]
            known[job] = (
                job.rule.name in TRAININGS
                and not any(getattr(dag.reason(job), name, False) for name in OWN)
                and all(is_pruned(Path(file).parent) and Path(file).name == "trajectory" for file in dag.reason(job).missing_output)
                and all(map(only_pruned, above))
            )
        return known[job]

    return [job for job in dag.needrun_jobs() if only_pruned(job)]


def left_behind(dag: Any, jobs: list[Any]) -> list[tuple[Any, Any]]:
    """Trainings that `allow_retrain` would leave as they are, though their parent changes, each with the job of its parent."""
    changed = [job for job in dag.needrun_jobs() if job.rule.name in TRAININGS and job not in jobs]
    below = [(child, job) for job in changed for child in dag.depending[job] if child.rule.name in TRAININGS]
    return [(child, job) for child, job in below if not dag.needrun(child)]


def check_retraining(study: Study, dag: Any) -> None:
    """Raises UserError where the study needs deleted trajectories and may not train them anew, or not yet."""
    jobs = retrained(dag)
    # With `allow_retrain` only these are trained: what lies below them, reward models too, has no trajectory missing.
    deleted = [_name(job) for job in jobs if dag.reason(job).missing_output]
    if deleted and not study.config.allow_retrain:
        raise UserError(told(study, deleted))
    if study.config.allow_retrain and (left := left_behind(dag, jobs)):
        (child, parent), manifests = left[0], {str(parent.output.manifest) for _, parent in left}
        raise UserError(
            f"{_name(parent)} is trained anew for reasons of its own, and `allow_retrain` would leave {_name(child)} as it is:"
            f" first make what changed without `allow_retrain`: {' '.join(sorted(manifests))}"
        )


def told(study: Study, trained: list[str]) -> str:
    """What training these runs and reward models anew costs, as one message."""
    sizing = Sizing(study)
    needs = {name: _need(sizing, name) for name in [*study.runs, *study.rewards] if name in trained}
    names = max(map(len, needs))
    lines = [f"  {name:{names}}  {_steps(study, name)} steps, {cost(need)}" for name, need in needs.items()]
    total = sum((need.seconds * max(1, need.gpus) for need in needs.values()), NOTHING)
    told = f"{len(needs)} trainings, {duration(total)}" + " of a GPU" * any(need.gpus for need in needs.values())
    allow = f"  {told}. Undo the edit, or allow it with `--config allow_retrain=true`"
    return "\n".join(["trajectories that were pruned are needed again; training them anew costs:", *lines, allow])


def cost(need: Need) -> str:
    """How long a job takes, and on how much."""
    return duration(need.seconds) + (f" on {need.gpus} GPU{'s' * (need.gpus > 1)}" if need.gpus else "")


def duration(seconds: Amount) -> str:
    """A time for people: seconds, minutes or hours."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if (number := seconds.value / length) >= 1.95:
            return seconds.told(f"{number:,.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}")
    return seconds.told(f"{seconds.value:.0f} second{'s' * (round(seconds.value) != 1)}")


def _name(job: Any) -> str:
    return str(job.wildcards.reward if job.rule.name == "reward" else job.wildcards.run)


def _need(sizing: Sizing, name: str) -> Need:
    run = sizing.study.runs.get(name)
    return sizing.training(run) if run else sizing.reward(name)


def _steps(study: Study, name: str) -> str:
    folder = Path(study.folder_of(name) if name in study.runs else f"{study.folder}/rewards/{name}")
    return f"{json.loads((folder / 'manifest.json').read_text())['total_steps']:,}"
