"""What /proc says of processes, and their end."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
