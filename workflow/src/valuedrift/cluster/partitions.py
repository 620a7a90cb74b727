"""Read the cluster's partitions from the file of the SLURM executor: mistakes in it, limits, and jobs that fit none."""

import math
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from valuedrift.config.explain import nearest
from valuedrift.errors import UserError

CLUSTER = {"cluster", "clusters", "slurm_cluster"}
"""Keys of a partition other than limits."""


def partitions(path: Path) -> dict[str, dict[str, Any]]:
    """Return partition -> its limits; raises UserError for what the executor would fail at."""
    from snakemake_executor_plugin_slurm.partitions import PartitionLimits  # on a cluster alone

    try:
        found = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    blocks = found.get("partitions") if isinstance(found, dict) else None
    if not isinstance(blocks, dict) or not blocks:
        raise UserError(f"{path}: the key `partitions` is missing or empty; it holds a block for each partition")
    known = {field.name for field in fields(PartitionLimits)} | CLUSTER
    for name, block in blocks.items():
        if not isinstance(name, str) or not isinstance(block, dict):
            raise UserError(f"{path}: `partitions.{name}` must be a name with a block of limits, `{{}}` where it has none")
        for key, value in block.items():
            if key not in known:
                raise UserError(f"{path}: unknown key `partitions.{name}.{key}`{nearest(str(key), known)}")
            if key.startswith("max_") and not _is_limit(key, value):
                raise UserError(
                    f"{path}: `partitions.{name}.{key}` must be a {'time' if key == 'max_runtime' else 'number'}, not {value!r}"
                )
    return blocks


def longest(path: Path, gpus: int, partition: str | None = None) -> float:
    """Return the most minutes that a partition gives a job with this many GPUs; of `partition` alone where it is named.

    Infinite where no fitting partition sets a limit.
    """
    from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes  # on a cluster alone

    limits = _limits(path, "max_runtime", gpus, partition)
    return max((limit if limit == math.inf else parse_time_to_minutes(limit) for limit in limits), default=math.inf)


def roomiest(path: Path, gpus: int, partition: str | None = None) -> float:
    """Return the most memory (MiB) that a partition gives a job, by the same rule as `longest`."""
    return max(_limits(path, "max_mem_mb", gpus, partition), default=math.inf)


def _limits(path: Path, key: str, gpus: int, partition: str | None) -> list[Any]:
    """Return a limit of each partition that a job may go to; infinite where it is not set."""
    found = partitions(path).items()
    fitting = [block for name, block in found if (name == partition if partition else block.get("max_gpu", 0) >= gpus)]
    return [block.get(key, math.inf) for block in fitting]


def unplaced(path: Path, jobs: Iterable[Any]) -> list[str]:
    """Return a line on the first job of each rule that fits no partition, with the limits that it exceeds."""
    from snakemake_executor_plugin_slurm.partitions import read_partition_file

    partitions(path)
    known, lines = read_partition_file(Path(path)), {}
    for job in jobs:
        name = str(job.rule.name)
        if name in lines or job.resources.get("slurm_partition") or any(one.score_job_fit(job) is not None for one in known):
            continue
        lines[name] = f"{name} ({next(iter(job.output), '')}) fits no partition of {path}: {_obstacle(known, job)}"
    return list(lines.values())


def _obstacle(known: list[Any], job: Any) -> str:
    """Return what a job exceeds on the partition that comes nearest; those with its GPUs come first."""
    wants = {
        "max_gpu": job.resources.get("gpu", 0), "max_cpus_per_task": job.threads, "max_threads": job.threads,
        "max_mem_mb": job.resources.get("mem_mb", 0), "max_runtime": job.resources.get("runtime", 0),
    }  # fmt: skip
    lacks = [(one.name, {key: want for key, want in wants.items() if want > getattr(one.limits, key)}, one.limits) for one in known]
    name, lacking, limits = min(lacks, key=lambda one: ("max_gpu" in one[1], len(one[1])))
    if not lacking:
        return f"see the limits of `{name}`"
    return f"it asks for {', '.join(f'{want} ({key} of `{name}` is {getattr(limits, key)})' for key, want in lacking.items())}"


def _is_limit(key: str, value: Any) -> bool:
    from snakemake_executor_plugin_slurm.utils import parse_time_to_minutes
    from snakemake_interface_common.exceptions import WorkflowError

    if isinstance(value, bool) or not isinstance(value, int | float | str) or (isinstance(value, str) and key != "max_runtime"):
        return False
    try:
        parse_time_to_minutes(value)
    except (WorkflowError, ValueError, OverflowError):
        return isinstance(value, float)  # infinity
    return True
