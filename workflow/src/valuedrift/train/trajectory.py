"""The outputs of a training: checkpoints on a schedule, the final model, the log, and the manifest that describes them."""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from valuedrift.config.train import Checkpoints, TrainingJob
from valuedrift.io.source_files import ROOT, sources
from valuedrift.io.tables import TRAINING_LOG
from valuedrift.train import processes
from valuedrift.train.preemption import Preemption
from valuedrift.train.resume_state import ResumeState
from valuedrift.train.saving import save_model

# The step itself, and all that depends on the machine: the same training twice gives the same log.
NOT_LOGGED = {"step", "epoch", "eps", "total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
VERSIONS = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


class Workspace(ResumeState):
    """The working folder of a run's training, whose contents become the run's outputs when the training is done."""

    def save(self, step: int, model: Any, tokenizer: Any) -> None:
        """Save a checkpoint as `trajectory/step-<step>`, in safetensors, with adapters merged."""
        self.ensure_owned()
        self.fingerprints[step] = save_model(model, tokenizer, self.trajectory / f"step-{step}")

    def finish(self, manifest: dict[str, Any], log: list[dict[str, Any]]) -> None:
        """Publish trajectory, final model and log, and last the manifest, which guarantees that they are complete.

        A SIGTERM is ignored: the training is done, and hashing its weights takes less time than schedulers leave after the signal.
        """
        with Preemption():
            if processes.is_main():
                self._finish(manifest, log)
            processes.barrier()

    def _finish(self, manifest: dict[str, Any], log: list[dict[str, Any]]) -> None:
        self.ensure_owned()
        steps = sorted(int(folder.name.removeprefix("step-")) for folder in self.trajectory.iterdir())
        checkpoints = [
            {
                "step": step, "path": f"trajectory/step-{step}", "hash": weights_hash(self.trajectory / f"step-{step}"),
                "fingerprint": self.fingerprints[step],
            }
            for step in steps
        ]  # fmt: skip
        # The final model is a hard link to the last checkpoint, not a second copy of its gigabytes.
        shutil.copytree(self.trajectory / f"step-{steps[-1]}", self.scratch / "final", copy_function=os.link)
        (self.output / "manifest.json").unlink(missing_ok=True)
        for name in ("trajectory", "final"):
            shutil.rmtree(self.output / name, ignore_errors=True)
            (self.scratch / name).replace(self.output / name)
        TRAINING_LOG.write(TRAINING_LOG.frame(log), self.output / "training_log.parquet")
        write_manifest(self.output, {**manifest, "total_steps": steps[-1], "checkpoints": checkpoints})
        self.discard()


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
        if processes.is_main() and space.owned and not space.state:
            space.discard()


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
    scratch = output / f".manifest-{uuid.uuid4().hex[:8]}.json"
    scratch.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    scratch.replace(output / "manifest.json")


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


def weights_hash(folder: Path) -> str:
    """Return a SHA-256 over the model's safetensors files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(file_hash(path).encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a training does."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in VERSIONS}}
