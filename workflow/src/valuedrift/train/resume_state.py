"""What a training that is not done leaves on disk, and what of it the next one takes up."""

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

STATE, IDENTITY, CANARIES, OWNER = "state", "identity", "canaries.json", "owner"


class Unfinished:
    """The folder `.unfinished` beside a run's outputs.

    `trajectory/` holds the checkpoints so far, `identity` says of which training they are, `owner` is a mark of the process that
    opened the folder last, and `state` is a link to the newest complete state from which that training can go on: three times the
    weights, with the fingerprints of the checkpoints before it.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.scratch = output, output / ".unfinished"
        self.canaries: dict[int, Fingerprint | None] = {}
        self.token = uuid.uuid4().hex

    @property
    def trajectory(self) -> Path:
        return self.scratch / "trajectory"

    @property
    def state(self) -> Path | None:
        """A complete state to go on from; None where the training starts anew."""
        link = self.scratch / STATE
        return link.resolve() if link.exists() else None

    @property
    def owned(self) -> bool:
        """Whether nobody has opened the folder since this training did."""
        owner = self.scratch / OWNER
        return owner.exists() and owner.read_text() == self.token

    def ensure_owned(self) -> None:
        """UserError where another job has begun this training since: the cluster took this one's node for lost, while it ran on.

        Asked before anything is written under a name that both write.
        """
        if processes.is_main() and not self.owned:
            raise UserError(f"another job has begun the training of {self.output} meanwhile; this one ends and leaves it alone")

    def open(self, identity: str) -> None:
        """Make the folder, with what belongs to a state that a training of the same identity left, and nothing else."""
        told = self.scratch / IDENTITY
        if self.state and not (told.exists() and told.read_text() == identity):
            print(
                "the unfinished training that lies here is of another config, data, parent, code or version: starting anew",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            self.discard()
        elif not self._whole():
            self.discard()
        self.scratch.mkdir(parents=True, exist_ok=True)
        told.write_text(identity)
        (self.scratch / OWNER).write_text(self.token)
        self._drop_what_is_later()

    def keep(self, write: Callable[[Path], None]) -> None:
        """Replace the state by one that `write` puts into the folder that it is given, made new and empty.

        A job that is killed at any moment leaves the state before or this one, whole; both lie on disk until this one is. All
        processes come here; the main one writes, when all of them have come.
        """
        processes.barrier()
        self.ensure_owned()
        if processes.is_main():
            before, folder = self.state, self.scratch / f"{STATE}-{uuid.uuid4().hex[:8]}"
            folder.mkdir()
            write(folder)
            (folder / CANARIES).write_text(json.dumps(self.canaries))
            _flush(self.scratch)
            link = self.scratch / f"{STATE}.new"
            link.symlink_to(folder.name)
            link.replace(self.scratch / STATE)
            if before:
                shutil.rmtree(before)
        processes.barrier()

    def recall(self) -> None:
        """Read which checkpoints came before the state."""
        if self.state:
            self.canaries = {int(step): one for step, one in json.loads((self.state / CANARIES).read_text()).items()}

    def discard(self) -> None:
        """Remove the folder; killed in the middle, it leaves no state."""
        (self.scratch / STATE).unlink(missing_ok=True)
        if self.scratch.exists():
            shutil.rmtree(self.scratch)

    def _whole(self) -> bool:
        """Whether there is a state with all its checkpoints: a job killed as it put its outputs in place has moved them."""
        self.recall()
        return self.state is not None and all((self.trajectory / f"step-{step}").exists() for step in self.canaries)

    def _drop_what_is_later(self) -> None:
        state = {STATE, self.state.name} if self.state else set[str]()
        steps = {f"step-{step}" for step in self.canaries}
        strays = [path for path in self.scratch.iterdir() if path.name not in {IDENTITY, OWNER, "trajectory", *state}]
        strays += [path for path in self.trajectory.glob("*") if path.name not in steps]
        for path in strays:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _flush(folder: Path) -> None:
    """Have all files on disk before a link vouches for them: a machine that loses power may keep the link and lose them."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
