"""How a training is started on the GPUs that its job gets."""

import os
from pathlib import Path
from shlex import quote
from typing import Literal

CONFIGS = Path(__file__).parents[4] / "envs" / "accelerate"
SHUTDOWN_SECONDS = 3600
"""How long the launcher waits for ranks that were told to stop. Its own 30 s would kill them while they write the state of a model
of billions of weights; the cluster's limit ends the wait before."""


def launcher(gpus: int, strategy: Literal["fsdp2", "zero3"]) -> str:
    """What stands in place of `python` in a shell command: plain for one device, else `accelerate launch` with one rank a GPU.

    `strategy` names the file of envs/accelerate that says how the ranks share the weights.
    """
    if gpus < 2:
        return "python"
    config = quote(os.path.relpath(CONFIGS / f"{strategy}.yaml"))
    return (
        f"TORCH_ELASTIC_SHUTDOWN_TIMEOUT={SHUTDOWN_SECONDS} python -m accelerate.commands.launch"
        f" --config_file {config} --num_processes {gpus}"
    )
