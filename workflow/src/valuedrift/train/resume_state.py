"""The resume state of an unfinished training on disk."""

import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

from valuedrift.errors import UserError
from valuedrift.lm.fingerprint import Fingerprint
from valuedrift.train import processes

STATE, IDENTITY, FINGERPRINTS, OWNER = "state", "identity", "fingerprints.json", "owner"


class ResumeState:
    """The folder `.unfinished` next to a run's outputs.

    `trajectory/` holds the checkpoints so far, `identity` the hash of the training that they belong to, `owner` a token of the
    process that opened the folder last, and `state` is a link to the newest complete state from which that training can be resumed:
    three times the size of the weights, with the fingerprints of the checkpoints before it.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.scratch = output, output / ".unfinished"
        self.fingerprints: dict[int, Fingerprint | None] = {}
        self.token = uuid.uuid4().hex

    @property
    def trajectory(self) -> Path:
        return self.scratch / "trajectory"

    @property
    def state(self) -> Path | None:
        """Folder of a complete state to resume from; None if the training starts from scratch."""
        link = self.scratch / STATE
        return link.resolve() if link.exists() else None

    @property
    def owned(self) -> bool:
        """True if no other process has opened the folder since this training did."""
        owner = self.scratch / OWNER
        return owner.exists() and owner.read_text() == self.token

    def ensure_owned(self) -> None:
        """Raise UserError if another job has started this training since: the cluster took this job's node for lost.

        Called before anything is written under a name that both jobs write.
        """
        if processes.is_main() and not self.owned:
            raise UserError(f"another job has started the training of {self.output} meanwhile; this one ends and changes nothing")

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
        (self.scratch / OWNER).write_text(self.token)
        self._drop_later_files()

    def keep(self, write: Callable[[Path], None]) -> None:
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
            (folder / FINGERPRINTS).write_text(json.dumps(self.fingerprints))
            _flush(self.scratch)
            link = self.scratch / f"{STATE}.new"
            link.symlink_to(folder.name)
            link.replace(self.scratch / STATE)
            if before:
                shutil.rmtree(before)
        processes.barrier()

    def recall(self) -> None:
        """Read the fingerprints of the checkpoints that were saved before the state."""
        if self.state:
            self.fingerprints = {int(step): one for step, one in json.loads((self.state / FINGERPRINTS).read_text()).items()}

    def discard(self) -> None:
        """Remove the folder, the link to the state first, so that a kill in between leaves no state."""
        (self.scratch / STATE).unlink(missing_ok=True)
        if self.scratch.exists():
            shutil.rmtree(self.scratch)

    def _is_complete(self) -> bool:
        """Return True if there is a state with all its checkpoints; a job killed while it published its outputs has moved them."""
        self.recall()
        return self.state is not None and all((self.trajectory / f"step-{step}").exists() for step in self.fingerprints)

    def _drop_later_files(self) -> None:
        state = {STATE, self.state.name} if self.state else set[str]()
        steps = {f"step-{step}" for step in self.fingerprints}
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
