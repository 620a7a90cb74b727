"""Schedule, disk and tables of the plan, on jobs made by hand."""

from pathlib import Path

import pytest
import yaml

from valuedrift.config.load import load_study_config
from valuedrift.errors import UserError
from valuedrift.manage.dag import DagJob
from valuedrift.manage.plan import measured, table
from valuedrift.manage.plan.chat_calls import uses
from valuedrift.manage.plan.disk import disk
from valuedrift.manage.plan.jobs import Job, priced
from valuedrift.manage.plan.schedule import Machines, critical_path, end, schedule
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.amount import Amount
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
TUNED = "llama3-3b/wildchat"


def job(name, seconds, *after, gpus=1, service=False, ran=None):
    need = Need(0 if service else gpus, 1, 1.0, Amount(seconds))
    return Job(DagJob(name, "sft", {}, "train", after, ran=ran), need, service)


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Sizing of the paper's study, of which nothing is done, and the jobs of one SFT run."""
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    values["cluster"] = {**values.get("cluster", {}), "speeds": str(ROOT / "config" / "speeds.csv")}
    sizing = Sizing(Study(load_study_config(values)))
    trained = DagJob("sft", "sft", {"run": TUNED}, "train")
    sampled = DagJob("generations", "generations", {"run": TUNED}, "generate", ("sft",))
    judged = DagJob("stances", "stances", {"run": TUNED, "judge": "qwen-7b"}, "judge", ("generations",))
    return sizing, priced([trained, sampled, judged], sizing)


@pytest.mark.parametrize(("gpus", "seconds"), [(1, 10), (2, 6), (4, 5)])
def test_a_schedule_waits_for_inputs_and_for_gpus(gpus, seconds):
    """One GPU: all in a row, 2 + 3 + 4 + 1. Two: `wide` takes both. Four: the critical path alone."""
    jobs = [job("a", 2), job("b", 3, "a"), job("c", 4), job("wide", 1, gpus=2)]
    slots = {slot.job.name: slot for slot in schedule(jobs, Machines(gpus, 8))}
    assert end(list(slots.values())).value == seconds
    assert slots["b"].start >= slots["a"].end
    for moment in range(10):
        held = [min(slot.job.need.gpus, gpus) for slot in slots.values() if slot.start <= moment < slot.end]
        assert sum(held) <= gpus
    assert [one.name for one in critical_path(jobs)] == ["a", "b"]
    assert [slot.job.name for slot in schedule(jobs[:1] + jobs[2:], Machines(1, 8))] == ["c", "a", "wide"]


def test_a_service_is_called_by_one_job_at_a_time_and_cores_are_shared():
    assert end(schedule([job("a", 2, service=True), job("b", 2, service=True)], Machines(8, 8))).value == 4
    assert end(schedule([job(name, 2, gpus=0) for name in "abc"], Machines(0, 2))).value == 4


def test_pruning_leaves_the_final_model_and_lowers_the_peak(paper):
    sizing, jobs = paper
    slots = schedule(jobs, Machines(8, 64))
    used, weights = disk(sizing, slots, slots), sizing.weights("llama3-3b").value
    # 12 checkpoints, of which the last is the final model; two states of three float32 numbers while one replaces the other.
    assert used.kept.value - used.pruned.value == pytest.approx(11 * weights)
    assert used.peak_kept.value == pytest.approx(12 * weights + 2 * 3 * weights)
    assert used.pruned.value < used.peak_pruned.value <= used.peak_kept.value


def test_rows_add_up(paper):
    sizing, jobs = paper
    unit = table.Unit.of(jobs, gpus=True)
    assert str(unit) == "GPU hours"
    lines = table.by_run(sizing, jobs, uses(sizing.work), unit)
    assert len(lines) == 1 + len(sizing.study.runs) + 3 + 2 and max(map(len, lines)) <= 130
    row = next(line.split() for line in lines if line.startswith(f"{TUNED} "))
    train, sample, judge, together = (float(cell.lstrip("~≤")) for cell in row[1:5])
    assert together == pytest.approx(train + sample + judge, abs=0.15) and train > 5


def test_the_plan_is_compared_with_what_snakemake_recorded():
    jobs = [job("a", 10, ran=(0, 10)), job("b", 30, "a", ran=(90, 105)), job("c", 20, ran=(5, 30)), job("never", 5)]
    with pytest.raises(UserError, match="run the study here first"):
        measured.comparison(jobs[3:], Machines(1, 1))
    # a and c at once, a pause of a minute, then b.
    lines = [line.split() for line in measured.comparison(jobs, Machines(2, 1))]
    assert lines[1] == ["training", "3", "60", "50", "1.20"]
    assert lines[3] == ["all", "on", "the", "clock", "3", "40", "45", "0.89"]
    assert lines[-1] == ["not", "run", "here:", "never"]
