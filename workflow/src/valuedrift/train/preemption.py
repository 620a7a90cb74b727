"""Preemption: on SIGTERM a training ends after the current step, with a state from which it can be resumed."""

import signal
import time
from types import FrameType
from typing import Any

from valuedrift.errors import UserError
from valuedrift.train import processes


class Preempted(UserError):
    """The training was asked to stop, and left a state from which the same command resumes it."""

    def __init__(self, step: int, total: int) -> None:
        super().__init__(f"stopped at step {step} of {total} as asked; run again to go on from there")


class Preemption:
    """Records, from its beginning to its end, a SIGTERM to this process, and the time since the last periodic save.

    Before it begins, a SIGTERM ends the process at once, as there is nothing to save yet; then the signal is only recorded, so
    that no step and no file is left half done. Main thread only. Both questions are collective over all processes of the training,
    which receive their signals during different steps: all of them must ask at the same place.
    """

    after: Any = None
    """What a process does about a SIGTERM once its training is done, for which it sets this to `SIG_IGN`; None: as before."""

    def __init__(self) -> None:
        self._signalled, self._saved = False, time.monotonic()
        self._before: Any = None

    def begin(self) -> None:
        """Record signals from now on; without effect if it began before."""
        if self._before is None:
            self._saved = time.monotonic()
            self._before = signal.signal(signal.SIGTERM, self._remember)

    def end(self, done: bool) -> None:
        """Record signals no more; `done`: nothing is left that the process could stop."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before if self.after is None or not done else self.after)
            self._before = None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    @property
    def requested(self) -> bool:
        """True if any process received a SIGTERM."""
        return processes.in_any(self._signalled)

    def due(self, minutes: float) -> bool:
        """Return True once every `minutes`, when a periodic state is due; never if `minutes` is 0."""
        if not minutes:
            return False
        due = processes.in_any(time.monotonic() - self._saved >= 60 * minutes)
        if due:
            self._saved = time.monotonic()
        return due
