"""Mistakes of a user, killed jobs and a second machine."""

import copy
import os
import shutil
import signal
import subprocess
import time

import polars as pl
import pytest

from conftest import SMALL, copy_repository

pytestmark = pytest.mark.workflow


def test_a_typo_ends_in_one_clear_line_before_any_work(finished, tmp_path):
    config = copy.deepcopy(SMALL)
    config["training"]["dpo"]["bta"] = 0.1
    output = finished.run(config, "--dry-run", check=False)
    assert "config: unknown key `training.dpo.bta`; did you mean `beta`?" in output
    assert "Traceback" not in output and len(output.splitlines()) <= 5


def test_malformed_data_stops_the_stage_with_the_first_line(finished, tmp_path):
    path = finished.folder / "broken.jsonl"
    path.write_text('{"language": "English", "conversation": []}\n' * 5)
    config = copy.deepcopy(SMALL)
    config["datasets"]["wildchat"]["path"] = path.name
    config["study"], config["report"] = "broken", {}
    output = finished.run(config, "results/broken/data/wildchat.parquet", check=False)
    assert "5 of 5 rows are malformed; the first is line 1: no turns in the field `conversation`" in output
    assert not (finished.folder / "results" / "broken" / "data" / "wildchat.parquet").exists()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the job did not come so far"
        time.sleep(0.05)


def test_a_study_killed_in_the_middle_of_training_ends_with_the_same_tables(finished, tmp_path):
    """SIGKILL to Snakemake and all its jobs while DPO trains: no half artifact, and the rerun's tables are those of the first run."""
    clone = copy_repository(tmp_path)
    shutil.copytree(finished.folder / "results", clone.folder / "results", symlinks=True)
    shutil.copytree(finished.folder / ".snakemake", clone.folder / ".snakemake")
    results = clone.folder / "results" / "small"
    run = results / "runs" / "mini/wildchat/dpo-synthetic-oppose"
    expected = {name: pl.read_parquet(results / name) for name in ("drift.parquet", "recovery.parquet")}
    shutil.rmtree(run)
    for name in expected:
        (results / name).unlink()
    process = subprocess.Popen(
        clone.command(SMALL), cwd=clone.folder, env=clone.environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: list(run.glob(".scratch-*/trajectory/step-*")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not any((run / name).exists() for name in ("trajectory", "final", "manifest.json", "training_log.parquet"))
    clone.run(SMALL, "--unlock")
    clone.run(SMALL)
    for name, table in expected.items():
        assert pl.read_parquet(results / name).equals(table)
    assert list(run.glob(".scratch-*")) == []
