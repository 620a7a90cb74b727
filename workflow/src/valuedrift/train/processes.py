"""The processes of one training: one per GPU, started by `accelerate launch`, or a single one."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Literal

PEER_TIMEOUT = timedelta(hours=2)
"""How long a process waits for another before it counts it as dead. NCCL's 10 minutes are too short while one process writes the
weights and the moments of a large model to a slow file system."""
STRATEGIES: dict[str, Literal["fsdp2", "zero3"]] = {"ACCELERATE_USE_FSDP": "fsdp2", "ACCELERATE_USE_DEEPSPEED": "zero3"}
"""Environment variable of the launcher -> how it wants the weights sharded."""
DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


def count() -> int:
    """Return the number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return True in the process that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Wait until every process has called this."""
    if count() > 1:
        from accelerate import PartialState

        join()
        PartialState().wait_for_everyone()


def in_any(flag: bool) -> bool:
    """Return True if the flag is set in any process; all of them must call this."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return flag
    on_gpu = "nccl" in torch.distributed.get_backend()
    flags = torch.tensor(int(flag), device="cuda" if on_gpu else "cpu")
    torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
    return bool(flags.item())


def join() -> None:
    """Connect this process to the others of its training, and tie its life to the launcher's.

    Without GPUs the processes use the CPU, each with a whole copy of the weights. A single process uses one GPU.
    """
    if count() == 1:
        _keep_one_gpu()
        return
    import torch
    from accelerate import PartialState

    # The launcher starts each process in a session of its own, so a SIGKILL of the launcher would leave them running. chat/watchdog
    # does not fit: it keeps a pipe to the process that it guards, and these are started by accelerate.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        keep_whole()
    PartialState(cpu=not on_gpu, timeout=PEER_TIMEOUT)


def _keep_one_gpu() -> None:
    """Make only the first visible GPU visible; called before CUDA starts, and without effect if there is no GPU.

    The Trainer would spread a single process over all visible GPUs (DataParallel): each gets a whole micro-batch, so a step has
    that many times the config's batch, and a packed row cannot be split.
    """
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "0")  # empty: no GPU
    os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[0]


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Yield a temporary folder on the node's own disk, the same for all processes; the main one creates and removes it."""
    if count() == 1:
        with TemporaryDirectory() as folder:
            yield Path(folder)
        return
    from accelerate.utils import broadcast_object_list

    folders = [mkdtemp() if is_main() else ""]
    broadcast_object_list(folders)
    try:
        yield Path(folders[0])
    finally:
        if is_main():
            rmtree(folders[0], ignore_errors=True)


def strategy() -> Literal["fsdp2", "zero3"] | None:
    """Return how the weights are sharded; None if each process has all of them."""
    for key, name in STRATEGIES.items():
        if os.environ.get(key) == "true":
            return name
    return None


def keep_whole() -> None:
    """Give every process all weights, whatever the launcher asks for; called before the trainer is created."""
    for key in STRATEGIES:
        os.environ.pop(key, None)
