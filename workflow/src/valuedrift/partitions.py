"""How long a job may run on a cluster, by the file of its partitions."""

import math
from pathlib import Path

import yaml


def longest(path: Path, gpus: int) -> float:
    """Minutes of the partition that lets a job with so many GPUs run longest; infinite where none that has them sets a limit."""
    from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes  # type: ignore[import-untyped]  # on a cluster alone

    partitions = (yaml.safe_load(Path(path).read_text()) or {}).get("partitions") or {}
    limits = [block.get("max_runtime") for block in partitions.values() if block.get("max_gpu", 0) >= gpus]
    return max((math.inf if limit is None else parse_time_to_minutes(limit) for limit in limits), default=math.inf)
