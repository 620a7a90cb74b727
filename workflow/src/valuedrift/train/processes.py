"""The processes of one training: one a GPU, started by `accelerate launch`, or a single one."""

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

PATIENCE = timedelta(hours=2)
"""How long a process waits for another before it takes it for dead. NCCL's 10 minutes are too few while one of them writes the
weights and the moments of a large model to a slow file system."""
STRATEGIES: dict[str, Literal["fsdp2", "zero3"]] = {"ACCELERATE_USE_FSDP": "fsdp2", "ACCELERATE_USE_DEEPSPEED": "zero3"}
"""What the launcher says by its environment about how weights are shared."""
DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


def count() -> int:
    """Processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def barrier() -> None:
    """Wait until every process has come here."""
    if count() > 1:
        from accelerate import PartialState

        join()
        PartialState().wait_for_everyone()


def join() -> None:
    """Make this process one of its training's: they find each other, and die with their launcher, whatever kills it.

    Without GPUs they are processes of the CPU, each with a whole copy of the weights. A single process keeps to one GPU.
    """
    if count() == 1:
        _keep_one_gpu()
        return
    import torch
    from accelerate import PartialState

    if sys.platform == "linux":  # the launcher gives each a session of its own, so nothing else would reach it there
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        keep_whole()
    PartialState(cpu=not on_gpu, timeout=PATIENCE)


def _keep_one_gpu() -> None:
    """See the first of the GPUs at hand alone; to be called before CUDA starts, and without effect where there are none.

    The Trainer would spread a single process over all that it sees (DataParallel): each gets a whole micro-batch, so that a step
    has that many times the config's batch, and a packed row cannot be split.
    """
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "0")  # empty: none at all
    os.environ["CUDA_VISIBLE_DEVICES"] = seen.split(",")[0]


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A temporary folder on the node's own disk, the same for all processes; the main one makes and removes it."""
    if count() == 1:
        with TemporaryDirectory() as folder:
            yield Path(folder)
        return
    from accelerate.utils import broadcast_object_list

    told = [mkdtemp() if is_main() else ""]
    broadcast_object_list(told)
    try:
        yield Path(told[0])
    finally:
        if is_main():
            rmtree(told[0], ignore_errors=True)


def strategy() -> Literal["fsdp2", "zero3"] | None:
    """How the weights are shared; None where each process has all of them."""
    for key, name in STRATEGIES.items():
        if os.environ.get(key) == "true":
            return name
    return None


def keep_whole() -> None:
    """Give every process all weights, whatever the launcher says; to be called before the trainer is made."""
    for key in STRATEGIES:
        os.environ.pop(key, None)
