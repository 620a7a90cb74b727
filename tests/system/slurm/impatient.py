"""Snakemake, except that it asks SLURM for its jobs' states each second: only waiting is changed.

The executor's own pause begins at 10 s and grows by 10 s while no job ends.
"""

import asyncio

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def one_second(self: RemoteExecutor) -> None:
    await asyncio.sleep(1)


if __name__ == "__main__":
    RemoteExecutor.sleep = one_second
    main()
