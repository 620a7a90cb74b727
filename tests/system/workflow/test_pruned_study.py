"""A finished study whose trajectories were pruned: nothing is to be done, and a step that needs them again asks before training."""

import copy
import json
import shutil

import pytest

from clone import SMALL, Clone

pytestmark = pytest.mark.workflow

RUNS = ["mini/wildchat", "mini/wildchat/dpo-synthetic-oppose", "mini/wildchat/ppo-synthetic-oppose"]
TRAININGS = {"sft", "reward", "dpo", "ppo"}
NEEDED = "trajectories that were pruned are needed again; training them anew costs:"


@pytest.fixture
def pruned(finished, tmp_path) -> Clone:
    """A copy of the small study, pruned."""
    clone = finished.copy(tmp_path / "clone")
    printed = clone.valuedrift("prune", SMALL)
    assert "4 trajectories deleted" in printed and "0 kept" in printed
    assert list((clone.folder / "results" / "small").rglob("trajectory")) == []
    return clone


def edited(allow=False, **blocks):
    config = copy.deepcopy(SMALL)
    for block, values in blocks.items():
        for key, value in values.items():
            config[block][key] = {**config[block][key], **value} if isinstance(value, dict) else value
    return {**config, "allow_retrain": allow}


def trainings(clone, config):
    return {rule: count for rule, count in clone.planned(config).items() if rule in TRAININGS}


def weights(clone, run):
    return json.loads((clone.folder / "results/small/runs" / run / "manifest.json").read_text())["checkpoints"]


def test_what_needs_a_pruned_trajectory_stops_and_with_permission_trains_just_that(pruned):
    assert pruned.planned(SMALL) == {}
    warmer = {"generation": {"temperature": 1.0}}
    # A dry run reports what a run would stop at, and a run stops before any job.
    for arguments, status in ((["--dry-run"], True), ([], False)):
        output = pruned.run(edited(**warmer), *arguments, check=status)
        assert NEEDED in output and "3 trainings" in output and "allow_retrain=true" in output, output
        assert all(f"  {run} " in output for run in RUNS)
        assert "Finished jobid" not in output
    # With permission, no reward model and nothing whose trajectory is not asked for.
    allowed = edited(allow=True, **warmer)
    assert trainings(pruned, allowed) == {"sft": 1, "dpo": 1, "ppo": 1}
    before = [weights(pruned, run) for run in RUNS]
    pruned.run(allowed, *(f"results/small/runs/{run}/generations.parquet" for run in RUNS[:2]))
    assert [weights(pruned, run) for run in RUNS] == before
    # The same weights came out, so the next run does not repeat what is downstream of them.
    assert trainings(pruned, allowed) == {"ppo": 1}


def test_a_training_that_runs_for_a_reason_of_its_own_needs_no_permission(pruned):
    faster = {"training": {"sft": {"learning_rate": 1e-3}}}
    output = pruned.run(edited(**faster), "--dry-run", "--quiet", "rules")
    assert NEEDED not in output
    assert trainings(pruned, edited(**faster)) == {"sft": 1, "reward": 1, "dpo": 1, "ppo": 1}
    # Permission makes parents ancient, which must not leave their children behind.
    output = pruned.run(edited(allow=True, **faster), "--dry-run", "--quiet", "rules")
    assert "first make what changed without `allow_retrain`: results/small/runs/mini/wildchat/manifest.json" in output


def test_a_trajectory_that_was_deleted_by_hand_is_asked_for_too(finished, tmp_path):
    clone = finished.copy(tmp_path / "clone")
    shutil.rmtree(clone.folder / "results/small/runs" / RUNS[1] / "trajectory")
    output = clone.run(edited(generation={"temperature": 1.0}), "--dry-run", "--quiet", "rules")
    assert NEEDED in output and f"  {RUNS[1]} " in output and "1 trainings" in output


def test_what_this_config_samples_anew_is_not_deleted(finished):
    printed = finished.valuedrift("prune", edited(generation={"temperature": 1.0}), "--dry-run")
    # The reward model's trajectory is sampled by nothing.
    assert "1 trajectories would be deleted" in printed and printed.count("its responses are not of this config") == len(RUNS)
