"""The outputs of a training: checkpoints on a schedule, the final model, the log, and the manifest that describes them."""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from valuedrift.config.train import Checkpoints, TrainingJob
from valuedrift.io.files import replacing
from valuedrift.io.source_files import ROOT, sources
from valuedrift.io.tables import TRAINING_LOG
from valuedrift.io.weights import file_hash, hashes, weights_hash
from valuedrift.train import processes
from valuedrift.train.divergence import check_weights
from valuedrift.train.preemption import Preemption
from valuedrift.train.resume_state import LOG, ResumeState
from valuedrift.train.saving import save_model

# The step itself, and all that depends on the machine: the same training twice gives the same log.
NOT_LOGGED = {"step", "epoch", "eps", "total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
VERSIONS = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


class Workspace(ResumeState):
    """The working folder of a run's training, whose contents become the run's outputs when the training is done."""

    def __init__(self, output: Path) -> None:
        super().__init__(output)
        self.preemption, self.is_published = Preemption(), False

    def save(self, step: int, model: Any, tokenizer: Any) -> None:
        """Save a checkpoint as `trajectory/step-<step>`, in safetensors, with adapters merged; raises Diverged if it has a NaN."""
        self.ensure_owned()
        check_weights(step, model)
        folder = self.trajectory / f"step-{step}"
        fingerprint = save_model(model, tokenizer, folder)
        if processes.is_main():
            # Hashed here and not at the end, where hours of hashing would lie between the last step and the outputs.
            self.checkpoints[step] = {
                "step": step, "path": f"trajectory/step-{step}", **described(folder), "fingerprint": fingerprint
            }  # fmt: skip

    def finish(self, manifest: dict[str, Any], log: list[dict[str, Any]]) -> None:
        """Publish trajectory, final model and log, and last the manifest, which guarantees that they are complete.

        The state that is kept first needs no more training. It stays if a SIGTERM came: the launcher of several processes and the
        Snakemake inside a SLURM job then end as failed, so that the outputs are deleted, and the retry publishes them again.
        """
        self.preemption.begin()
        self.keep(lambda folder: (folder / LOG).write_text(json.dumps(log)))
        if processes.is_main():
            self._publish(manifest, log)
        self.is_published = True
        if self.preemption.requested:
            print("asked to stop after its last step; run again if its outputs are missing", file=sys.stderr, flush=True)
        elif processes.is_main():
            self.discard()
        processes.barrier()

    def _publish(self, manifest: dict[str, Any], log: list[dict[str, Any]]) -> None:
        """Put hard links to the checkpoints in place: no second copy of their gigabytes, and the state stays complete."""
        last = max(self.checkpoints)
        (self.output / "manifest.json").unlink(missing_ok=True)
        for name, source in {"trajectory": self.trajectory, "final": self.trajectory / f"step-{last}"}.items():
            linked = self.scratch / f"published-{name}"
            shutil.copytree(source, linked, copy_function=os.link)
            shutil.rmtree(self.output / name, ignore_errors=True)
            linked.replace(self.output / name)
        TRAINING_LOG.write(TRAINING_LOG.frame(log), self.output / "training_log.parquet")
        checkpoints = [self.checkpoints[step] for step in sorted(self.checkpoints)]
        write_manifest(self.output, {**manifest, "total_steps": last, "checkpoints": checkpoints})


@contextmanager
def workspace(output: Path, identity: str) -> Iterator[Workspace]:
    """Yield a workspace for the run's folder `output`, with the state that an unfinished training of one `identity` left there.

    However the training ends, the working folder is removed, unless it holds a state to resume from.
    """
    space = Workspace(output)
    if processes.is_main():  # Snakemake runs one job per run at a time, so no live job uses the folder
        space.open(identity)
    processes.barrier()
    space.recall()
    try:
        yield space
    finally:
        if processes.is_main() and space.owner.held and not space.state:
            space.discard()
        space.preemption.end(space.is_published)


def identity_of(job: TrainingJob[Any], manifest: dict[str, Any]) -> str:
    """Return a hash of all that decides how a training continues from a state.

    That is the job, the manifest so far (hashes of parent and data, versions), the code, and how many processes share a state in
    which way.
    """
    code = {str(path.relative_to(ROOT)): file_hash(path) for path in sources(f"train.{job.algorithm}")}
    parts = [job.identity, manifest, code, processes.count(), processes.strategy()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class SaveCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Saves checkpoints on the schedule: weights only, since a trajectory is measured, not resumed."""

    def __init__(self, space: Workspace, schedule: Checkpoints, tokenizer: Any) -> None:
        self.space, self.schedule, self.tokenizer = space, schedule, tokenizer
        self.steps: list[int] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps = checkpoint_steps(self.schedule, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if state.global_step in self.steps:
            # PPO trains a wrapper of the policy and the value model; the policy is what is measured.
            self.space.save(state.global_step, getattr(model, "policy", model), self.tokenizer)


def checkpoint_steps(schedule: Checkpoints, total: int) -> list[int]:
    """Return the steps to save in a training of `total` optimizer steps, ascending, including the last one."""
    if schedule.every is not None:
        return [*range(schedule.every, total, schedule.every), total]
    return sorted({max(1, round(fraction * total)) for fraction in schedule.fractions or []} | {total})


def describe(job: TrainingJob[Any], parent_hash: str, data: Path, rows: int, dropped: int) -> dict[str, Any]:
    """Return the part of a manifest that is known before training; `dropped` rows were too long."""
    return {
        "run": job.run,
        "algorithm": job.algorithm,
        "parent": job.parent,
        "parent_hash": parent_hash,
        "dataset": job.dataset,
        "data_hash": file_hash(data),
        "rows": rows,
        "dropped": dropped,
        "seed": job.seed,
        "config": job.training.model_dump(mode="json"),
        "chat": True,
        "versions": versions(),
    }


def write_manifest(output: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`, without timestamps: the same training gives the same manifest."""
    with replacing(output / "manifest.json") as scratch:
        scratch.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def log_rows(run: str, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of TRAINING_LOG from a trainer's history.

    Sorted by step and metric, since a history that was saved and read again has its metrics in another order.
    """
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for entry in history:
        for name, value in entry.items():
            if name in NOT_LOGGED or not isinstance(value, int | float):
                continue
            rows[entry["step"], name] = {"run": run, "step": entry["step"], "metric": name, "value": float(value)}
    return [rows[key] for key in sorted(rows)]


def described(folder: Path) -> dict[str, Any]:
    """Return the part of a manifest by which the files of a saved model are recognised."""
    files = hashes(folder)
    return {"hash": weights_hash(files), "files": files}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a training does."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in VERSIONS}}
