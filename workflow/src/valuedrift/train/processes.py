"""The processes of one training: one a GPU, started by `accelerate launch`, or a single one."""

import ctypes
import os
import signal


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
    """Make this process one of its training's: they find each other, and die with the launcher, whatever kills it."""
    if count() == 1:
        return
    import torch
    from accelerate import PartialState

    _die_with_parent()
    on_gpu = torch.cuda.is_available()
    PartialState(cpu=not on_gpu)


def _die_with_parent() -> None:
    """The launcher puts each rank in a session of its own, so that nothing else would reach it there."""
    death_signal = 1  # PR_SET_PDEATHSIG
    if hasattr(os, "pidfd_open"):  # Linux
        ctypes.CDLL(None).prctl(death_signal, signal.SIGKILL)
