"""A copy of the repository whose study runs through `--profile slurm`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from clone import Clone
from cluster import Cluster
from study import RESULTS, TARGETS, study

IMPATIENT, GREEDY = (Path(__file__).parent / name for name in ("impatient.py", "greedy.py"))
# What a user edits for a cluster: its partitions.
PARTITIONS = """\
partitions:
  cpu: {max_runtime: 2d, max_cpus_per_task: 16, max_mem_mb: 200000}
  gpu: {max_runtime: 2d, max_cpus_per_task: 16, max_mem_mb: 200000, max_gpu: 4}
"""
# Waiting is shortened; nothing else of the profile is.
PATIENCE = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "3")
Found = TypeVar("Found")


class ClusterClone(Clone):
    def __init__(self, folder: Path, cluster: Cluster) -> None:
        super().__init__(folder)
        self.cluster = cluster
        (folder / "profiles" / "slurm" / "partitions.yaml").write_text(PARTITIONS)
        shutil.copy2(GREEDY, folder / "workflow" / "src" / "sitecustomize.py")

    @property
    def results(self) -> Path:
        return self.folder / RESULTS

    @property
    def environment(self) -> dict[str, str]:
        own = super().environment
        return {**self.cluster.environment, **{name: own[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS")}}

    def command(self, config: dict[str, Any], *arguments: str) -> list[str]:
        if not self.cluster.has_accounting:
            arguments = ("--slurm-status-command", "squeue", *arguments)
        words = super().command(config, *arguments)
        return [sys.executable, str(IMPATIENT), "--profile", "slurm", *PATIENCE, *words[words.index("--cores") + 2 :]]

    def unlock(self) -> None:
        subprocess.run(self.command(study(), "--unlock"), cwd=self.folder, env=self.environment, check=True, capture_output=True)

    def start(self, *arguments: str) -> "Snakemake":
        return Snakemake(self, *arguments)


class Snakemake:
    """The study under way, on the cluster."""

    def __init__(self, clone: ClusterClone, *arguments: str) -> None:
        self.log = clone.folder / f"snakemake-{len(list(clone.folder.glob('snakemake-*.log')))}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                clone.command(study(), *TARGETS, *arguments), cwd=clone.folder, env=clone.environment, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip

    def until(self, found: Callable[[], Found | None], what: str, seconds: float = 300) -> Found:
        """Return what `found` returns as soon as that is true; assert that Snakemake is alive until then."""
        end = time.monotonic() + seconds
        while True:
            if value := found():
                return value
            assert self.process.poll() is None, f"Snakemake ended before: {what}\n{self.printed[-6000:]}"
            assert time.monotonic() < end, f"not within {seconds} s: {what}\n{self.printed[-6000:]}"
            time.sleep(0.02)

    def finish(self, seconds: float = 600) -> None:
        assert self.process.wait(seconds) == 0, self.printed[-6000:]

    def kill(self) -> None:
        """Kill Snakemake and its processes here, unless it has ended; its jobs on the cluster go on."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def printed(self) -> str:
        return self.log.read_text()
