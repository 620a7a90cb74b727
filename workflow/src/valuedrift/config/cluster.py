"""What machines a study runs on. It decides where jobs run and what they ask for, never a result: no edit reruns a step."""

from typing import Annotated, Literal

from pydantic import Field

from valuedrift.config.base import Closed, Count, NonNegative, Rate


class ClusterConfig(Closed):
    device: str = "h100-80gb"
    """Name of the GPU in the table of speeds; `cpu` for machines without one."""
    speeds: str = "config/speeds.csv"
    """Table of tokens a second by device, each measured or assumed: hours and time limits come from it."""
    gpus: Annotated[int, Field(ge=0)] = 8
    """The most GPUs that one job gets: those of a node, or of your machine; 0 where there is none."""
    gpu_memory: Rate = 80.0
    """GiB of one GPU."""
    cpus_per_gpu: Count = 8
    """Cores beside each GPU."""
    strategy: Literal["fsdp2", "zero3"] = "fsdp2"
    """How a training on several GPUs shares its weights: FSDP2, or DeepSpeed's ZeRO-3, which is not among the pins."""
    network: str = "local"
    """Where jobs that ask a service run: `local`, beside Snakemake, or the name of a partition whose nodes have a network."""
    save_minutes: NonNegative = 60
    """A training leaves a state to go on from this often, beside the one that it leaves when it is told to stop; 0 turns it off."""
