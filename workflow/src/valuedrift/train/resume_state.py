"""The resume state of an unfinished training on disk."""

import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from valuedrift.io.owner import Owner
from valuedrift.train import processes

STATE, IDENTITY, OWNER = "state", "identity", "owner"
CHECKPOINTS, LOG = "checkpoints.json", "log.json"


class ResumeState:
    """The folder `.unfinished` next to a run's outputs.

    `trajectory/` holds the checkpoints so far, `identity` the hash of the training that they belong to, `owner` a token of the
    process that opened the folder last, and `state` is a link to the newest complete state from which that training can be resumed:
    three times the size of the weights, with the manifest's entries of the checkpoints before it. The state of a training that is
    done holds its log in place of the weights.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.scratch = output, output / ".unfinished"
        self.checkpoints: dict[int, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] | None = None
        """Rows of TRAINING_LOG of a training that is done, and only has to be published; else None."""
        self.owner = Owner(output, self.scratch / OWNER)

    @property
    def trajectory(self) -> Path:
        return self.scratch / "trajectory"

    @property
    def state(self) -> Path | None:
        """Folder of a complete state to resume from; None if the training starts from scratch."""
        link = self.scratch / STATE
        return link.resolve() if link.exists() else None

    def ensure_owned(self) -> None:
        """Raise UserError in the main process if another job has started this training since."""
        if processes.is_main():
            self.owner.ensure()

    def open(self, identity: str) -> None:
        """Create the folder, or keep it with the state that a training of the same identity left there, and nothing else."""
        owner_identity = self.scratch / IDENTITY
        if self.state and not (owner_identity.exists() and owner_identity.read_text() == identity):
            print(
                "the unfinished training in this folder has another config, data, parent, code or version: starting from scratch",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            self.discard()
        elif not self._is_complete():
            self.discard()
        self.scratch.mkdir(parents=True, exist_ok=True)
        owner_identity.write_text(identity)
        self.owner.take()
        self._drop_later_files()

    def keep(self, write: Callable[[Path], object]) -> None:
        """Replace the state by one that `write` saves into the new, empty folder that it is given.

        A job that is killed at any moment leaves either the previous state or this one, complete; both are on disk until this one
        is. All processes must call this; the main one writes when all have.
        """
        processes.barrier()
        self.ensure_owned()
        if processes.is_main():
            before, folder = self.state, self.scratch / f"{STATE}-{uuid.uuid4().hex[:8]}"
            folder.mkdir()
            write(folder)
            (folder / CHECKPOINTS).write_text(json.dumps(self.checkpoints))
            _flush(self.scratch)
            link = self.scratch / f"{STATE}.new"
            link.symlink_to(folder.name)
            link.replace(self.scratch / STATE)
            if before:
                shutil.rmtree(before)
        processes.barrier()

    def recall(self) -> None:
        """Read which checkpoints were saved before the state, and the log of a training that is done."""
        if self.state:
            self.checkpoints = {int(step): one for step, one in json.loads((self.state / CHECKPOINTS).read_text()).items()}
            self.log = json.loads((self.state / LOG).read_text()) if (self.state / LOG).exists() else None

    def discard(self) -> None:
        """Remove the folder, the link to the state first, so that a kill in between leaves no state."""
        (self.scratch / STATE).unlink(missing_ok=True)
        if self.scratch.exists():
            shutil.rmtree(self.scratch)

    def _is_complete(self) -> bool:
        """Return True if there is a state with all its checkpoints."""
        try:
            self.recall()
        except ValueError as error:
            print(f"the state in {self.scratch} is damaged ({error}): starting from scratch", file=sys.stderr, flush=True)
            return False
        return self.state is not None and all((self.trajectory / f"step-{step}").exists() for step in self.checkpoints)

    def _drop_later_files(self) -> None:
        state = {STATE, self.state.name} if self.state else set[str]()
        steps = {f"step-{step}" for step in self.checkpoints}
        strays = [path for path in self.scratch.iterdir() if path.name not in {IDENTITY, OWNER, "trajectory", *state}]
        strays += [path for path in self.trajectory.glob("*") if path.name not in steps]
        for path in strays:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _flush(folder: Path) -> None:
    """Flush all files to disk before a link refers to them: after a power failure the link may exist without them."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
