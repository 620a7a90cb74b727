"""Starting and stopping a training on several GPUs."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from torch.distributed.launcher.api import LaunchConfig

import valuedrift
from valuedrift.cluster.accelerate import CONFIGS, SHUTDOWN_SECONDS, launcher

RANK = """
import os, signal, sys, time
from pathlib import Path
from valuedrift.train import processes
stops = []
signal.signal(signal.SIGTERM, lambda *_: stops.append(1))
processes.join()
folder = Path(sys.argv[1])
(folder / f"rank{os.environ['RANK']}").write_text(str(os.getpid()))
while not stops:
    time.sleep(0.1)
processes.barrier()
if processes.is_main():
    (folder / "state").touch()
processes.barrier()
sys.exit(1)
"""


def test_one_device_needs_no_launcher():
    assert launcher(0, "fsdp2") == launcher(1, "zero3") == "python"


@pytest.mark.parametrize("strategy", ["fsdp2", "zero3"])
def test_the_launcher_names_a_config_that_accelerate_reads(strategy):
    words = shlex.split(launcher(4, strategy))
    config = load_config_from_file(words[words.index("--config_file") + 1])
    assert words[words.index("--num_processes") + 1] == "4" and config.main_process_port == 0
    assert str(config.distributed_type).endswith({"fsdp2": "FSDP", "zero3": "DEEPSPEED"}[strategy])
    load_config_from_file(str(CONFIGS / "one.yaml"))


def test_the_launcher_waits_for_ranks_that_were_signalled_to_stop(monkeypatch):
    name, _, value = launcher(2, "fsdp2").split()[0].partition("=")
    monkeypatch.setenv(name, value)
    assert LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=2).shutdown_timeout == SHUTDOWN_SECONDS


@pytest.fixture
def launched(tmp_path):
    """A launcher with two ranks that wait for SIGTERM: its process, and theirs by number."""
    (tmp_path / "rank.py").write_text(RANK)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{Path(valuedrift.__file__).parents[1]}:{tmp_path}",
        "OMP_NUM_THREADS": "1",
    }
    command = f"exec env {launcher(2, 'fsdp2')} -m rank {tmp_path}"
    process = subprocess.Popen(command, shell=True, env=environment, stderr=subprocess.DEVNULL)
    files = [tmp_path / "rank0", tmp_path / "rank1"]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files), 120)
    yield process, [int(file.read_text()) for file in files]
    if process.poll() is None:
        process.kill()
    process.wait()


def wait_until(true, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_launcher_that_is_terminated_lets_its_ranks_leave_a_state(launched, tmp_path):
    process, _ = launched
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0 and (tmp_path / "state").exists()


def test_ranks_die_with_their_launcher(launched, tmp_path):
    process, ranks = launched
    process.kill()
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{rank}").exists() for rank in ranks), 10)
    assert not (tmp_path / "state").exists()
