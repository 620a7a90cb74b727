"""What is checked before the first job of a study starts; a dry run warns of what it can know."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from logging import Filter, LogRecord
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.logging import LogEvent, logger

from valuedrift.errors import UserError
from valuedrift.study.jobs import Jobs

SOURCE_ROOT = Path(__file__).parents[2]
DOWNLOADS = ("hub_model", "hub_dataset")
"""Rules that download from the hub into the folder that is their output."""


class StudyError(WorkflowError):  # type: ignore[misc]
    """An error of which Snakemake prints the message alone, since it finds no line of ours that it passed."""

    __traceback__ = property(lambda self: None, lambda self, traceback: None)


class OneLineErrors(AbstractContextManager[None]):
    """Turns a UserError into Snakemake's own error, so that it ends in one line."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raise StudyError with the message of a UserError; let other errors pass."""
        if isinstance(error, UserError):
            raise StudyError(str(error)) from None


def check_hub(jobs: Jobs, needed: Iterable[Any]) -> None:
    """Raise UserError if the hub lacks, or does not let this user read, what the needed jobs of Snakemake's graph download.

    In a process of its own: the hub's library takes 0.5 s to import, and Snakemake is offline otherwise.
    """
    planned = list(needed)
    folders = [str(job.output[0]) for job in planned if job.rule.name in DOWNLOADS]
    tasks = [str(job.wildcards.task) for job in planned if job.rule.name == "downstream_data"]
    if not folders and not tasks:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "valuedrift.hub", "access", "--config", jobs.access(folders, tasks)]
        done = subprocess.run(
            [*command, "--output", f"{folder}/access.json"], env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)}, check=False,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    if done.returncode:
        raise UserError(done.stderr.strip())


class DryRunWarning(Filter):
    """Prints in a dry run, which calls no `onstart`, what a real run would stop at: once, before the table of jobs."""

    def __init__(self, workflow: Any, check: Callable[[], None]) -> None:
        """Take Snakemake's workflow, and what raises UserError where a real run would stop."""
        super().__init__()
        self.workflow, self.check = workflow, check

    def filter(self, record: LogRecord) -> bool:
        """Let every record pass."""
        if getattr(record, "event", None) == LogEvent.RUN_INFO and self.workflow.dryrun:
            logger.removeFilter(self)
            try:
                self.check()
            except UserError as error:
                logger.warning(str(error))
        return True
