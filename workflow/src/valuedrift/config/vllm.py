"""How vLLM runs on a machine. None of it decides a result (what does not fit is an error, not another result) or reruns a step."""

from typing import Annotated

from pydantic import Field

from valuedrift.config.base import Closed, Count


class VllmConfig(Closed):
    tensor_parallel: Count = 1
    """GPUs over which the weights are split (tensor parallelism)."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory that weights and key-value cache may use."""
    max_length: Count | None = None
    """Longest prompt plus response, in tokens; the model's own limit by default."""
    cpu_cache: Count = 2
    """Key-value cache on a machine without a GPU, in GiB."""
