"""What SLURM's accounting says of jobs, in the words that Snakemake's executor knows."""

import subprocess
from typing import Any

from valuedrift.errors import UserError


def understand_sacct() -> None:
    """Make the executor understand `CANCELLED by 1000`, as sacct says of a cancelled job; it would wait for it without end."""
    import snakemake_executor_plugin_slurm as executor  # on a cluster alone

    query = executor.query_job_status

    async def first_words(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(command, logger)
        return states and {job: state.partition(" ")[0] for job, state in states.items()}, seconds

    executor.query_job_status = first_words


def check_sacct() -> None:
    """Raise UserError if sacct does not answer: the executor would wait for every job without end."""
    try:
        asked = subprocess.run(["sacct", "--allocations", "--noheader"], check=False, text=True, capture_output=True)
    except OSError as error:
        raise UserError(f"no sacct here: {_ADVICE}") from error
    if asked.returncode:
        raise UserError(f"sacct does not answer ({' '.join(asked.stderr.split())}): {_ADVICE}")


_ADVICE = "start with `--slurm-status-command squeue`, or set that in profiles/slurm/config.yaml"
