"""Jobs of short trainings on one dialogue, run in processes of their own, and the comparison of their outputs."""

import os
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote
from typing import Any

from valuedrift.cluster.accelerate import launcher
from valuedrift.config.algorithms import ALGORITHMS, job_model
from valuedrift.config.train import PreferenceConfig

QUESTION, ANSWER = "Should legal abortion be banned?", "Legal abortion should be banned."
SHORT = {"epochs": 1, "batch_size": 8, "max_length": 96, "logging_steps": 1, "warmup": 0.0, "schedule": "constant"}


def job(algorithm, run="mini/x", chosen=None, **training):
    checkpoints = training.pop("checkpoints", {"fractions": [0.5, 1]})
    room = {"max_response": 48} if issubclass(ALGORITHMS[algorithm].config, PreferenceConfig) else {}
    values = {**SHORT, **room, "checkpoints": checkpoints, **training}
    return job_model(algorithm).model_validate(
        {"run": run, "parent": "mini/base", "algorithm": algorithm, "model": {"path": "x"}, "dataset": "d", "chosen": chosen, "seed": 3,
         "training": values}
    )  # fmt: skip


def diverging(config: Any) -> Any:
    """Return the job with a learning rate of 1e30, which no config may have."""
    return config.model_copy(update={"training": config.training.model_copy(update={"learning_rate": 1e30})})


def start(config: Any, parent: Path, data: Path, output: Path, gpus: int = 0) -> subprocess.Popen:
    """Start the training as a job runs it."""
    python = launcher(gpus, "fsdp2").replace("python", quote(sys.executable), 1)
    return subprocess.Popen(
        f"exec env {python} -m valuedrift.train {config.algorithm} --config {quote(config.model_dump_json())} --parent {parent}"
        f" --data {data} --output {output}", shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen) -> None:
    """Wait until the path exists, for at most four minutes; fail if the process ends before."""
    end = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < end and process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def differing(one: Path, other: Path) -> list[str]:
    """Files that are not the same to the byte in both folders."""
    files = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (one, other)
    ]
    assert files[0]
    return sorted(name for name in files[0].keys() | files[1].keys() if files[0].get(name) != files[1].get(name))
