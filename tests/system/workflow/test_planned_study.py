"""The plan that was made from the config alone, against what the finished small study took: counts, calls and disk.

Hours are compared by `valuedrift plan --check`: a test would measure how busy the machine is.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from clone import ROOT, SMALL
from valuedrift.config.load import load_study_config
from valuedrift.manage.plan.chat_calls import uses
from valuedrift.sizing import Sizing
from valuedrift.study.study import Study

pytestmark = pytest.mark.workflow
FACTOR = 1.5


@pytest.fixture
def sizing(tmp_path, monkeypatch) -> Sizing:
    """Of the small study, where nothing is there yet."""
    monkeypatch.chdir(tmp_path)
    cluster = {**SMALL.get("cluster", {}), "device": "cpu", "speeds": str(ROOT / "config" / "speeds.csv")}
    return Sizing(Study(load_study_config({**SMALL, "cluster": cluster})))


def near(planned, real):
    return real / FACTOR <= planned <= real * FACTOR


def test_checkpoints_steps_calls_and_disk_come_out_as_planned(finished, sizing):
    work, study, results = sizing.work, sizing.study, finished.folder / "results" / "small"
    for run in study.runs.values():
        manifest = json.loads((results / "runs" / run.id / "manifest.json").read_text())
        # The parent's last checkpoint is not counted again.
        assert work.checkpoints(run).value == len([c for c in manifest["checkpoints"] if c["step"] or not run.parent])
        if run.training:
            assert near(sizing.lengths.rows(run.dataset).value, manifest["rows"]), run.id
            planned = sizing.need(run.algorithm, {"run": run.id}).disk_bytes.value
            assert near(planned, bytes_of(results / "runs" / run.id / "trajectory")), run.id
    for name in study.rewards:
        assert near(sizing.need("reward", {"reward": name}).disk_bytes.value, bytes_of(results / "rewards" / name / "trajectory"))
    for use in uses(work):
        if use.name.startswith("judge "):
            # An upper bound: equal responses are judged once, and have two rows.
            assert use.calls.value == judged(finished, study)[use.name.removeprefix("judge ")]


def test_the_plan_is_compared_with_the_jobs_that_ran(finished):
    command = [sys.executable, "-m", "valuedrift", "plan", "--config", "study.yaml", "--check"]
    finished.command(SMALL)  # writes the config
    printed = subprocess.run(
        command, cwd=finished.folder, env=finished.environment, text=True, check=True, stdout=subprocess.PIPE
    ).stdout  # fmt: skip
    assert "not run here" not in printed, printed
    rows = {line[:20].strip(): line[20:].split() for line in printed.splitlines()}
    trained = sum(bool(run.training) for run in Study(load_study_config(SMALL)).runs.values())
    assert int(rows["training"][0]) == trained, printed


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def judged(finished, study) -> Counter:
    """Judge → rows of its tables, without those that are a parent's, and `orders of <judge>` → rows of its order check."""
    counts = Counter()
    for run in study.runs.values():
        for judge in study.config.judges:
            table = pl.read_parquet(finished.folder / "results/small/runs" / run.id / "stances" / f"{judge}.parquet")
            counts[judge] += table.filter((pl.col("step") > 0) | (run.parent is None)).height
    for judge in study.order_checked:
        counts[f"orders of {judge}"] = pl.read_parquet(finished.folder / "results/small/judges" / judge / "orders.parquet").height
    return counts
