"""Who may publish an output: the job that was started last to make it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valuedrift.errors import UserError


class Owner:
    """One process's claim to an output: a token in a file, which the next process that makes the output replaces by its own.

    A cluster that takes a node for lost starts its job again, while the first one may go on computing.
    """

    def __init__(self, output: Path, file: Path) -> None:
        self.output, self.file = output, file
        self.token = uuid.uuid4().hex

    def take(self) -> None:
        """Become the owner."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.token)

    @property
    def held(self) -> bool:
        """True if no other process has become the owner since."""
        return self.file.exists() and self.file.read_text() == self.token

    def ensure(self) -> None:
        """Raise UserError if this process is the owner no more; called before anything is written under a name that both write."""
        if not self.held:
            raise UserError(f"another job has started to make {self.output} meanwhile; this one ends and changes nothing")


@contextmanager
def owned(output: Path) -> Iterator[Owner]:
    """Yield the claim to `output`, a hidden file next to it while the block runs."""
    owner = Owner(output, output.with_name(f".{output.name}.owner"))
    owner.take()
    try:
        yield owner
    finally:
        if owner.held:
            owner.file.unlink()
