"""The study on a real SLURM of two nodes, through `--profile slurm`, while steps, jobs, nodes and Snakemake itself are killed."""

import filecmp

import polars as pl
import pytest
from events import Story, edited, edited_study, planned
from watch import partial_outputs, shared_gpus, twice_at_once

from clone import Clone
from cluster import GPUS
from study import DPO, PPO, RESULTS, REWARD, RUNS, SFT

pytestmark = pytest.mark.slurm
TRAINED = [f"{RESULTS}/runs/{run}" for run in (SFT, DPO, PPO)] + [REWARD]


def test_the_study_ends_with_the_tables_of_a_local_run(story: Story, reference: Clone):
    """To the last digit, with the same weights in the same places."""
    local, there = reference.folder / RESULTS, story.clone.results
    tables = {path.relative_to(local) for path in local.rglob("*.parquet")}
    assert tables == {path.relative_to(there) for path in there.rglob("*.parquet")} and len(tables) > 30
    for table in tables:
        assert pl.read_parquet(there / table).equals(pl.read_parquet(local / table)), table
    others = [path.relative_to(local) for name in ("manifest.json", "everything.*") for path in local.rglob(name)]
    assert len(others) >= len(RUNS) + 2
    for name in others:
        assert filecmp.cmp(there / name, local / name, shallow=False), name


def test_an_edit_of_config_or_code_while_jobs_run_counts_at_the_next_start(story: Story, reference: Clone):
    """Each job plans anew, after the edit too: what it makes is that of the study as it was started (the test above), nothing passes for
    made by the edit, and no more is made again than if the study had been edited when it was done."""
    with edited(reference):
        assert story.planned["edited"] == planned(reference, edited_study())
    assert {"generations", "stances", "values"} <= story.planned["edited"].keys()
    assert story.planned["as started"] == {}


def test_each_rule_with_a_model_gets_its_gpu_and_no_other_step_any(story: Story):
    on_gpu = {("train", name) for name in ("sft", "dpo", "reward", "ppo")} | {("generate", "responses"), ("judge", "order_check")}
    for step in story.watch.steps:
        judged_by_model = step.output.endswith("stances/mini-judge.parquet")
        if judged_by_model or (step.stage, step.step) in on_gpu:
            assert step.job and len(step.gpus) == 1 and step.gpus <= set(map(str, range(GPUS))), step
            assert story.clone.cluster.column(step.job, "tres-per-job:.40") == "gres:gpu:1", step
        else:
            assert not step.gpus, step
    ran = {(step.stage, step.step) for step in story.watch.steps}
    assert on_gpu <= ran and any(step.output.endswith("stances/oracle.parquet") for step in story.watch.steps)


def test_jobs_at_the_same_time_have_gpus_of_their_own(story: Story):
    held = [step for step in story.watch.steps if step.gpus]
    assert any(one.node == other.node and one is not other and one.overlaps(other) for one in held for other in held)
    assert shared_gpus(held) == []


def test_small_steps_run_where_snakemake_does(story: Story):
    assert {step.job for step in story.watch.steps if step.stage == "drift"} == {None}


def test_nothing_ran_twice_at_once(story: Story):
    assert twice_at_once(story.watch.steps) == []


def test_no_output_was_partial_at_any_moment(story: Story):
    assert story.outputs.looks > 30 and story.outputs.partial == set()
    assert list(partial_outputs(story.clone.results)) == []
    assert [path for run in TRAINED for path in (story.clone.folder / run).glob(".*")] == []


def ended(story: Story, what: str) -> str:
    """Return the state in which SLURM reports the job of the failure."""
    return story.clone.cluster.job_state(story.events[what].lost.job)


def test_a_killed_step_runs_again(story: Story):
    assert ended(story, "SIGKILL") == "FAILED"
    assert len(story.attempts(story.events["SIGKILL"])) == 2


def test_a_cancelled_job_runs_again(story: Story):
    if story.clone.cluster.has_accounting:  # in sacct's words, which the executor does not understand by itself
        lost = story.events["scancel"].lost.job
        said = story.clone.cluster.ask("sacct", "--allocations", "--noheader", "--parsable2", "--format=State", f"--jobs={lost}")
        assert said.strip() == "CANCELLED by 0"
    assert ended(story, "scancel") == "CANCELLED"
    assert len(story.attempts(story.events["scancel"])) >= 2  # more where the lost node took the second with it


def test_a_job_out_of_memory_gets_more(story: Story):
    event, cluster = story.events["memory"], story.clone.cluster
    assert ended(story, "memory") in ("OUT_OF_MEMORY", "CANCELLED", "FAILED")
    first, second = story.attempts(event)[:2]
    assert cluster.memory(second.job) == 2 * cluster.memory(first.job)


def test_a_training_signalled_before_its_time_limit_saves_its_state_and_resumes_with_more_time(story: Story):
    event = story.events["time limit"]
    assert story.waited, "the job ended before its training had saved its state"
    assert story.kept and ended(story, "time limit") == "FAILED"
    log = (story.clone.results / "logs" / "train" / f"{DPO}.log").read_text()
    assert "starting from scratch" not in log
    first, second = story.attempts(event)[:2]
    limits = [story.clone.cluster.column(step.job, "TimeLimit:.20") for step in (first, second)]
    assert limits[0] == "5:00" and int(limits[1].partition(":")[0]) > 10, limits


def test_snakemake_refuses_to_start_while_jobs_of_a_killed_one_run_and_uses_their_outputs(story: Story):
    event = story.events["Snakemake killed"]
    assert str(event.lost.job) in story.refusal and "scancel" in story.refusal and "Traceback" not in story.refusal
    assert ended(story, "Snakemake killed") == "COMPLETED"
    assert len(story.attempts(event)) == 2  # the one before the time limit, and the one during which Snakemake was killed


def test_a_job_whose_node_is_lost_runs_on_another(story: Story):
    event = story.events["node lost"]
    assert ended(story, "node lost") == "NODE_FAIL"
    lost, again = story.attempts(event)
    assert lost.node != again.node
