"""Start a training on the GPUs of its job."""

import os
from pathlib import Path
from shlex import quote
from typing import Literal

CONFIGS = Path(__file__).parents[4] / "envs" / "accelerate"
SHUTDOWN_SECONDS = 3600
"""How long the launcher waits for ranks after SIGTERM. Its own 30 s would kill them while they write the state of a model of
billions of parameters; the cluster's time limit ends the wait earlier."""


def launcher(gpus: int, strategy: Literal["fsdp2", "zero3"]) -> str:
    """Return what replaces `python` in a shell command: itself for one device, else `accelerate launch` with one rank a GPU.

    `strategy` names the file of envs/accelerate that says how the ranks share the weights.
    """
    if gpus < 2:
        return "python"
    config = quote(os.path.relpath(CONFIGS / f"{strategy}.yaml"))
    return (
        f"TORCH_ELASTIC_SHUTDOWN_TIMEOUT={SHUTDOWN_SECONDS} python -m accelerate.commands.launch"
        f" --config_file {config} --num_processes {gpus}"
    )
