"""Mistakes of a user, killed jobs and a second machine."""

import copy
import json
import os
import shutil
import signal
import subprocess
import time

import polars as pl
import pytest
import yaml

from clone import SMALL, Clone, copy_repository

pytestmark = pytest.mark.workflow


def test_a_typo_ends_in_one_clear_line_before_any_work(finished):
    config = copy.deepcopy(SMALL)
    config["training"]["dpo"]["bta"] = 0.1
    output = finished.run(config, "--dry-run", check=False)
    assert "config: unknown key `training.dpo.bta`; did you mean `beta`?" in output
    assert "Traceback" not in output and len(output.splitlines()) <= 5


def test_a_study_in_a_folder_with_spaces_whose_world_has_spaces_too(python, tmp_path):
    folder = tmp_path / "a clone; with 'quotes' and $signs"
    folder.mkdir()
    clone = copy_repository(folder, python)
    config = yaml.safe_load(yaml.safe_dump(SMALL).replace("results/world", "results/my world"))
    clone.run(config, "results/my world/prompts.csv", "results/small/prompts/raw.parquet")
    assert (clone.folder / "results/small/logs/prompts/raw.log").exists()
    assert pl.read_parquet(clone.folder / "results/small/prompts/raw.parquet").height


def test_a_folder_that_is_a_command_runs_nothing(python, tmp_path):
    clone = copy_repository(tmp_path, python)
    config = copy.deepcopy(SMALL) | {"miniature": SMALL["miniature"] | {"folder": "results/w;touch pwned_world;x"}}
    output = clone.run(config, "results/w;touch pwned_world;x/prompts.csv", check=False)
    assert "`miniature.folder`: 'results/w;touch pwned_world;x' is no name for a folder" in output
    assert not list(clone.folder.rglob("pwned*"))


def test_malformed_data_stops_the_stage_with_the_first_line(finished):
    path = finished.folder / "broken.jsonl"
    path.write_text('{"language": "English", "conversation": []}\n' * 5)
    config = copy.deepcopy(SMALL)
    config["datasets"]["wildchat"]["path"] = path.name
    config["study"], config["report"] = "broken", {}
    output = finished.run(config, "results/broken/data/wildchat.parquet", check=False)
    assert "5 of 5 rows are malformed; the first is line 1: no turns in the field `conversation`" in output
    assert not (finished.folder / "results" / "broken" / "data" / "wildchat.parquet").exists()


def wait_for(condition, process, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and process.poll() is None, "the study is not that far"
        time.sleep(0.05)


def test_a_source_that_is_edited_while_a_study_runs_counts_at_the_next_start(tmp_path):
    """The step that runs afterwards still runs the code that the study was started with, and passes for no other."""
    clone = copy_repository(tmp_path)
    target = "results/small/prompts/raw.parquet"
    process = subprocess.Popen(clone.command(SMALL, target), cwd=tmp_path, env=clone.environment, stderr=subprocess.DEVNULL)
    wait_for((tmp_path / "results" / "world" / "logs" / "prompts.log").exists, process)  # of the step before
    source = tmp_path / "workflow" / "src" / "valuedrift" / "prompts" / "raw.py"
    before = source.read_text()
    source.write_text("raise AssertionError('read while the study ran')\n" + before)
    assert process.wait(120) == 0
    assert "raw_prompts" in clone.run(SMALL, target, "--dry-run", "--quiet", "rules")
    source.write_text(before)
    assert "Nothing to be done" in clone.run(SMALL, target, "--dry-run")


def test_a_job_of_a_cluster_does_its_own_step_alone(tmp_path):
    """As on a compute node, where the step above, of the rules that this job may run, is outdated by now."""
    clone, edited = copy_repository(tmp_path), copy.deepcopy(SMALL)
    files = ["results/small/prompts/raw.parquet", "results/world/prompts.csv"]  # its own, and what it reads
    clone.run(SMALL, files[0])
    before = [(tmp_path / file).stat().st_mtime_ns for file in files]
    edited["miniature"]["questions"] += 1
    rules = ["raw_prompts", "miniature_prompts"]
    clone.run(edited, "--mode", "remote", "--target-jobs", "raw_prompts:", "--allowed-rules", *rules, "--force")
    after = [(tmp_path / file).stat().st_mtime_ns for file in files]
    assert after[0] > before[0] and after[1] == before[1]


def same_tables(results, undisturbed, tables):
    for path in tables:
        name = path.relative_to(undisturbed)
        assert pl.read_parquet(results / name).equals(pl.read_parquet(path)), name


def test_a_training_killed_with_snakemake_ends_with_the_tables_of_an_undisturbed_one(finished, tmp_path):
    """DPO and all below it, run a second time, with SIGKILL to Snakemake and all its jobs while DPO trains.

    No partial artifact is left, and started again the study ends with the same tables to the last digit.
    """
    clone = Clone(finished.copy(tmp_path / "clone").folder)  # its processes are in one group, which can be killed
    results, undisturbed = (c.folder / "results" / "small" for c in (clone, finished))
    run = results / "runs" / "mini/wildchat/dpo-synthetic-oppose"
    shutil.rmtree(run)
    (results / "drift.parquet").unlink()  # a target: what lies between finished steps is not made again for itself
    process = subprocess.Popen(
        clone.command(SMALL), cwd=clone.folder, env=clone.environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: list(run.glob(".unfinished/trajectory/step-*")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not any((run / name).exists() for name in ("trajectory", "final", "manifest.json", "training_log.parquet"))
    clone.run(SMALL, "--unlock")
    clone.run(SMALL)
    assert not (run / ".unfinished").exists()
    same_tables(results, undisturbed, undisturbed.rglob("*.parquet"))
    for name in ("tables/everything.csv", "report.html"):
        assert (results / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_second_run_from_nothing_gives_the_same_data_prompts_and_weights(small_study, python, tmp_path):
    clone = copy_repository(tmp_path, python)
    sft = "runs/mini/wildchat"
    clone.run(
        SMALL, *(f"results/small/{name}" for name in (f"{sft}/manifest.json", "data/synthetic.parquet", "prompts/prompts.parquet"))
    )
    results, first = (c.folder / "results" / "small" for c in (clone, small_study))
    same_tables(
        results, first, [*first.glob("data/*.parquet"), first / "prompts/prompts.parquet", first / sft / "training_log.parquet"]
    )
    again, before = (json.loads((folder / sft / "manifest.json").read_text())["checkpoints"] for folder in (results, first))
    assert again == before
