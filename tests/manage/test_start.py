"""What is checked before a study's first job."""

import logging
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError, format_exception_to_string
from snakemake.logging import LogEvent, logger

from valuedrift.errors import UserError
from valuedrift.manage.dag import SNAKEFILE, planned_workflow
from valuedrift.manage.start import DryRunWarning, OneLineErrors


def record(**fields):
    return logging.makeLogRecord(fields)


def test_a_users_mistake_ends_snakemake_in_one_line():
    with pytest.raises(WorkflowError, match="config: `runs`: wrong") as caught, OneLineErrors():
        raise UserError("config: `runs`: wrong")
    assert format_exception_to_string(caught.value, {}).split("\n") == ["StudyError:", "config: `runs`: wrong"]


def test_snakemake_is_told_of_a_doubled_key_which_it_reads_without_a_word(tmp_path):
    (tmp_path / "more.yaml").write_text("seed: 1\nseed: 2\n")
    config = [SNAKEFILE.parent / "config" / "miniature.yaml", tmp_path / "more.yaml"]
    with pytest.raises(UserError, match="line 2: the key 'seed' is in line 1 already; keep one"), planned_workflow(config):
        pass


@pytest.mark.parametrize(("dryrun", "warned"), [(True, 1), (False, 0)])
def test_a_dry_run_warns_once_before_its_table_of_jobs_of_what_a_real_run_would_stop_at(monkeypatch, dryrun, warned):
    said = []
    monkeypatch.setattr(logger, "warning", said.append)

    def check():
        raise UserError("trajectories that were pruned are needed again")

    found = DryRunWarning(SimpleNamespace(dryrun=dryrun), check)
    logger.addFilter(found)
    try:
        assert found.filter(record(event=LogEvent.JOB_INFO)) and not said
        assert found.filter(record(event=LogEvent.RUN_INFO))
        assert said == ["trajectories that were pruned are needed again"] * warned
        assert (found in logger.filters) != dryrun
    finally:
        logger.removeFilter(found)


def test_a_dry_run_of_a_study_that_lacks_nothing_says_nothing(monkeypatch):
    said = []
    monkeypatch.setattr(logger, "warning", said.append)
    assert DryRunWarning(SimpleNamespace(dryrun=True), lambda: None).filter(record(event=LogEvent.RUN_INFO)) and not said
