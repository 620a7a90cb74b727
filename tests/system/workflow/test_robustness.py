"""Mistakes of a user, killed jobs and a second machine."""

import copy
import os
import signal
import subprocess
import time

import polars as pl
import pytest

from clone import SMALL, copy_repository

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


def wait_for(condition, process, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and process.poll() is None, "the study did not come so far"
        time.sleep(0.05)


def test_a_study_killed_while_it_trains_ends_with_the_tables_of_an_undisturbed_one(finished, tmp_path):
    """A second run of the study in an empty clone, with SIGKILL to Snakemake and all its jobs while DPO trains.

    No half artifact is left, and started again it ends with the same tables to the last digit; so two runs give the same tables.
    """
    clone = copy_repository(tmp_path)
    results, undisturbed = (c.folder / "results" / "small" for c in (clone, finished))
    run = results / "runs" / "mini/wildchat/dpo-synthetic-oppose"
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
    for path in sorted(undisturbed.rglob("*.parquet")):
        name = path.relative_to(undisturbed)
        assert pl.read_parquet(results / name).equals(pl.read_parquet(path)), name
    for name in ("tables/everything.csv", "report.html"):
        assert (results / name).read_bytes() == (undisturbed / name).read_bytes()
