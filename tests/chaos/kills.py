"""SIGKILL at any time: to everything, to Snakemake alone, or to one of its jobs; then the study is run again."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

from chaos.outcome import Outcomes
from chaos.studies import CHILD, PARENT, RESULTS, differences
from clone import Clone

PROMISE = "run again, the study ends with the undisturbed files, byte for byte"
VICTIMS = ("everything", "Snakemake alone", "one job")
LONGEST = 45.0
"""Seconds until a kill: by then SFT, and often DPO, is done on two busy cores."""
UNMADE = {
    "trainings": [f"runs/{PARENT}", "drift.parquet"],
    "a training": [f"runs/{CHILD}", "drift.parquet"],
    # All that is below it: Snakemake does not make again what lies between finished steps.
    "sampling and judging": ["drift.parquet", *(f"runs/{run}/{name}" for run in (PARENT, CHILD) for name in
                             ("generations.parquet", "stances", "values.parquet", "drift.parquet"))],
}  # fmt: skip
"""What a killed study has still to make."""


def attack(finished: Clone, config: dict, undisturbed: dict[str, str], scratch: Path, random: Random, outcomes: Outcomes) -> None:
    """Kill a study that has some of its work before it, once or twice, run it to its end, and compare."""
    began = time.monotonic()
    clone = finished.copy(scratch)
    victim, unmade = random.choice(VICTIMS), random.choice(list(UNMADE))
    for name in UNMADE[unmade]:
        path = clone.folder / RESULTS / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    waits = [random.uniform(1, LONGEST) for _ in range(random.choice((1, 1, 2)))]
    for wait in waits:
        _run_and_kill(Clone(clone.folder), config, wait, victim, random)
    clone.run(config, "--unlock", check=False)
    output = clone.run(config, check=False)
    problem = differences(clone, undisturbed)
    if problem:
        problem += f" (killed after {', '.join(f'{wait:.1f}' for wait in waits)} s, amid {unmade}): {output[-500:]}"
    outcomes.tried(f"SIGKILL to {victim}", PROMISE, began, problem)
    shutil.rmtree(clone.folder)


def _run_and_kill(clone: Clone, config: dict, wait: float, victim: str, random: Random) -> None:
    """Run the study with a Python of its own, whose processes can be killed, and kill after `wait` seconds unless it has ended."""
    clone.run(config, "--unlock", check=False)
    process = subprocess.Popen(
        clone.command(config), cwd=clone.folder, env=clone.environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    if process.poll() is None:
        jobs = [one for one in psutil.Process(process.pid).children(recursive=True) if "valuedrift" in " ".join(_command(one))]
        if victim == "everything":
            os.killpg(process.pid, signal.SIGKILL)
        elif victim == "Snakemake alone" or not jobs:
            process.kill()
        else:
            with suppress(psutil.NoSuchProcess):
                random.choice(jobs).kill()
    process.wait()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it ended just now
        return []
