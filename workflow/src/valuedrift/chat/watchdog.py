"""Runs a command for as long as this program's standard input stays open.

A job holds the other end, which closes however the job ends, also by SIGKILL: a server never outlives the job that started it.
This file is run by its path, not as a module, so it imports nothing of the package.
"""

import os
import select
import signal
import subprocess
import sys

GRACE = 20.0
"""Seconds that the command has to end after SIGTERM."""


def main(command: list[str]) -> int:
    """Run the command until it ends or standard input closes; return its exit status."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # this program gets the group's signal too; the command would inherit SIG_IGN
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None and not select.select([sys.stdin], [], [], 0.1)[0]:
        pass
    if process.poll() is None:
        os.killpg(0, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(0, signal.SIGKILL)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
