"""The machines on which a study runs: where jobs run and what they request. None of it decides a result or reruns a step."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, NonNegative, Rate


class ClusterConfig(Closed):
    device: str = "h100-80gb"
    """Name of the GPU in the table of speeds, or `cpu` for machines without GPUs."""
    speeds: str = "config/speeds.csv"
    """Table of tokens per second by device, each measured or assumed; hours and time limits are computed from it."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """Most GPUs that one job may have: those of one node, or of your machine; by default 8, or 0 if `device` is `cpu`."""
    gpu_memory: Rate = 80.0
    """Memory of one GPU, in GiB."""
    cpus_per_gpu: Count = 8
    """CPU cores per GPU."""
    strategy: Literal["fsdp2", "zero3"] = "fsdp2"
    """How a training on several GPUs shards its weights: FSDP2, or DeepSpeed's ZeRO-3, which must be installed separately."""
    network: str = "local"
    """Where jobs run that call a chat model over the network: `local`, where Snakemake runs, or the name of a partition whose nodes
    have network access."""
    save_minutes: NonNegative = 60
    """Minutes between the states that a training saves to resume from, in addition to the one that it saves when it receives a
    signal to stop; 0 saves only that one."""

    @property
    def most(self) -> int:
        """Return the most GPUs that one job may have."""
        return (0 if self.device == "cpu" else 8) if self.gpus is None else self.gpus

    @model_validator(mode="after")
    def _gpus_or_none(self) -> "ClusterConfig":
        if (self.device == "cpu") != (self.most == 0):
            raise ValueError(
                f"`device: {self.device}` and `gpus: {self.gpus}` contradict each other: without GPUs give `device: cpu` alone,"
                " with GPUs give their name as `device`"
            )
        return self
