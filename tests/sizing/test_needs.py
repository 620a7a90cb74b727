"""The table of needs against the rules and jobs of the workflow itself."""

from pathlib import Path

import pytest

from valuedrift.config.load import load_study_config, read_files
from valuedrift.manage.dag import dag_jobs, planned_workflow
from valuedrift.manage.plan.jobs import KINDS, of_kind, priced
from valuedrift.sizing import Sizing
from valuedrift.sizing.needs import NEEDS
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Config files of the miniature under another name, so that none of its runs are done."""
    overlay = tmp_path_factory.mktemp("overlay") / "overlay.yaml"
    overlay.write_text("study: never-run\n")
    return [ROOT / "config" / "miniature.yaml", overlay]


@pytest.fixture(scope="module")
def rules_and_jobs(config):
    """Rules of the workflow, and the jobs of the study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        with planned_workflow(config) as workflow:
            return {rule.name for rule in workflow.rules if not rule.norun}, dag_jobs(workflow)


def test_every_rule_has_a_row_and_every_row_a_rule(rules_and_jobs):
    rules, _ = rules_and_jobs
    assert rules == set(NEEDS)
    assert set(KINDS) <= rules


def test_every_job_of_the_miniature_has_a_need_and_stands_after_its_inputs(rules_and_jobs, config, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = Study(load_study_config(read_files(config)))
    found = [job.name for job in rules_and_jobs[1]]
    jobs = priced(rules_and_jobs[1], Sizing(study))
    assert len(set(found)) == len(found)
    assert all(name in found[: found.index(job.name)] for job in jobs for name in job.dag.after)
    assert all(job.need.seconds.value > 0 for job in jobs)
    assert all(job.dag.is_pending and job.dag.ran is None for job in of_kind(jobs, "training", "sampling", "judging", "tables"))
    assert sorted(job.run for job in of_kind(jobs, "training")) == sorted(run.id for run in study.runs.values() if run.training)
    assert {job.dag.wildcards["reward"] for job in of_kind(jobs, "reward models")} == set(study.rewards)
    assert next(job for job in jobs if job.name == "base mini/base").dag.after == ("miniature_base",)
