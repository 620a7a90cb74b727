"""What is done about sacct before a study starts on SLURM; that a cancelled job runs again there is tests/system/slurm."""

import asyncio
import logging
import stat

import pytest
import snakemake_executor_plugin_slurm as executor

from valuedrift.cluster.accounting import check_sacct, understand_sacct
from valuedrift.errors import UserError


def program(folder, name, text):
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(stat.S_IRWXU)


def test_states_are_the_words_that_the_executor_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "query_job_status", executor.query_job_status)
    understand_sacct()
    program(tmp_path, "answers", "printf '1|CANCELLED by 1000\\n2|COMPLETED\\n3|NODE_FAIL\\n'")
    states, seconds = asyncio.run(executor.query_job_status(str(tmp_path / "answers"), logging.getLogger()))
    assert states == {"1": "CANCELLED", "2": "COMPLETED", "3": "NODE_FAIL"} and seconds > 0
    program(tmp_path, "fails", "exit 1")
    assert asyncio.run(executor.query_job_status(str(tmp_path / "fails"), logging.getLogger())) == (None, None)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "no sacct here: start with `--slurm-status-command squeue`"),
        (
            "echo 'Slurm accounting storage is disabled' >&2; exit 1",
            r"sacct does not answer \(Slurm accounting storage is disabled\): ",
        ),
    ],
)
def test_a_cluster_without_accounting_is_refused_with_what_to_do(answer, says, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    if answer:
        program(tmp_path, "sacct", answer)
    with pytest.raises(UserError, match=says):
        check_sacct()
    program(tmp_path, "sacct", "exit 0")
    check_sacct()
