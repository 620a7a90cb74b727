"""What machines a study runs on. It decides where jobs run and what they ask for, never a result: no edit reruns a step."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from valuedrift.config.base import Closed, Count, NonNegative, Rate


class ClusterConfig(Closed):
    device: str = "h100-80gb"
    """Name of the GPU in the table of speeds; `cpu` for machines without one: that alone says that there are no GPUs."""
    speeds: str = "config/speeds.csv"
    """Table of tokens a second by device, each measured or assumed: hours and time limits come from it."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """The most GPUs that one job gets: those of a node, or of your machine; by default 8, or none where `device` is `cpu`."""
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

    @property
    def most(self) -> int:
        """The most GPUs that one job gets."""
        return (0 if self.device == "cpu" else 8) if self.gpus is None else self.gpus

    @model_validator(mode="after")
    def _gpus_or_none(self) -> "ClusterConfig":
        if (self.device == "cpu") != (self.most == 0):
            raise ValueError(
                f"`device: {self.device}` and `gpus: {self.gpus}` contradict each other: without GPUs it is `device: cpu` alone,"
                " with GPUs `device` names them"
            )
        return self
