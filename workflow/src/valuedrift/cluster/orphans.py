"""Find SLURM jobs whose Snakemake is gone."""

import getpass
import subprocess
from pathlib import Path

from valuedrift.errors import UserError


def orphans(folder: Path) -> list[str]:
    """Return the ids of the user's SLURM jobs, waiting or running, that Snakemake submitted from the folder.

    Raises UserError if squeue is missing or fails.
    """
    command = ["squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%A|%k|%Z"]
    try:
        asked = subprocess.run(command, check=False, text=True, capture_output=True)
    except OSError as error:
        raise UserError("no squeue here: run on a login node of the cluster, or with `--profile profiles/local`") from error
    if asked.returncode:
        raise UserError(f"squeue cannot list the jobs that still run: {asked.stderr.strip()}")
    jobs = [line.split("|", 2) for line in asked.stdout.splitlines()]
    # The executor names the rule in the job's comment, and submits from the folder that Snakemake works in.
    mine = [(job, place) for job, comment, place in jobs if comment.startswith(("rule_", "group_"))]
    return [job for job, place in mine if Path(place).resolve() == folder.resolve()]


def refuse_orphans(folder: Path) -> None:
    """Raise UserError if SLURM still has jobs of an earlier Snakemake in the folder.

    A Snakemake that was killed leaves its jobs running, and the next one would start the same steps a second time. Snakemake's lock
    keeps two living ones apart, so every job found before the first submission belongs to one that is gone.
    """
    if jobs := orphans(folder):
        raise UserError(
            f"SLURM still has jobs of a Snakemake that is gone: {', '.join(jobs)}. Start again when they have ended, and what they"
            f" made counts; or end them by `scancel {' '.join(jobs)}`, and trainings go on from their last state"
        )
