"""A training that is told to stop: it ends after a whole step, with a state from which it can go on."""

import signal
import time
from types import FrameType, TracebackType
from typing import Any

import torch

from valuedrift.errors import UserError


class Interrupted(UserError):
    """The training stopped because it was told to, and left a state from which the same command goes on."""

    def __init__(self, step: int, total: int) -> None:
        super().__init__(f"stopped at step {step} of {total} as asked; run again to go on from there")


class Interruption:
    """Remembers, within its block, a SIGTERM that the process gets, and the time since the last periodic save.

    Before the block a SIGTERM ends the process at once, as there is nothing to save yet; within it nothing happens until somebody
    asks, so that no step and no file is left half done. Main thread only. What is asked here is agreed over all processes of the
    training, which get their signals during different steps: all of them have to ask, at the same place.
    """

    def __init__(self) -> None:
        self._signalled, self._saved = False, time.monotonic()
        self._before: Any = signal.SIG_DFL

    def __enter__(self) -> "Interruption":
        self._saved = time.monotonic()
        self._before = signal.signal(signal.SIGTERM, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    @property
    def requested(self) -> bool:
        """Whether any process was told to stop."""
        return _agreed(self._signalled)

    def due(self, minutes: float) -> bool:
        """Whether a periodic state is due; true once every `minutes`, never where they are 0."""
        if not minutes:
            return False
        due = _agreed(time.monotonic() - self._saved >= 60 * minutes)
        if due:
            self._saved = time.monotonic()
        return due


def _agreed(flag: bool) -> bool:
    """Whether the flag is up in any process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return flag
    on_gpu = "nccl" in torch.distributed.get_backend()
    flags = torch.tensor(int(flag), device="cuda" if on_gpu else "cpu")
    torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
    return bool(flags.item())
