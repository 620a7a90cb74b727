"""The plan's hours, disk and critical path, from the config alone; tests/workflow/test_plan.py compares with what happened."""

import base64
import json
import re
from pathlib import Path

import pytest
import yaml
from valuedrift.manage.plan.steps import Step, steps

from valuedrift.config.load import load_study_config
from valuedrift.errors import UserError
from valuedrift.manage.plan import measured, run, table
from valuedrift.manage.plan.chat_calls import uses
from valuedrift.manage.plan.disk import disk
from valuedrift.manage.plan.schedule import Machines, critical_path, end, length, schedule
from valuedrift.sizing import Need, Sizing
from valuedrift.sizing.counts import Amount
from valuedrift.sizing.gpu_memory import BYTES
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "config" / "paper.yaml"


def step(name, seconds, *after, gpus=1, service=False):
    need = Need(0 if service else gpus, 1, 1.0, Amount(seconds))
    return Step(name, "training", need, after, Path("results") / name, service=service)


def planned(config=PAPER):
    """Sizing and steps of a study of which nothing is there."""
    values = yaml.safe_load(config.read_text())
    speeds = str(ROOT / "config" / "speeds.csv")
    values["cluster"] = {**values.get("cluster", {}), "speeds": speeds}
    sizing = Sizing(Study(load_study_config(values)))
    return sizing, steps(sizing, uses(sizing.work))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("gpus", "seconds"), [(1, 10), (2, 6), (4, 5)])
def test_a_schedule_waits_for_inputs_and_for_gpus(gpus, seconds):
    """One GPU: all in a row, 2 + 3 + 4 + 1. Two: `wide` takes both. Four: the critical path alone."""
    found = [step("a", 2), step("b", 3, "a"), step("c", 4), step("wide", 1, gpus=2)]
    slots = {slot.step.name: slot for slot in schedule(found, Machines(gpus, 8))}
    assert end(list(slots.values())).value == seconds
    assert slots["b"].start >= slots["a"].end
    for moment in range(10):
        held = [min(slot.step.need.gpus, gpus) for slot in slots.values() if slot.start <= moment < slot.end]
        assert sum(held) <= gpus
    assert [one.name for one in critical_path(found)] == ["a", "b"]


def test_a_service_is_asked_by_one_job_at_a_time_and_cores_are_shared():
    assert end(schedule([step("a", 2, service=True), step("b", 2, service=True)], Machines(8, 8))).value == 4
    assert end(schedule([step(name, 2, gpus=0) for name in "abc"], Machines(0, 2))).value == 4


def test_the_papers_study_needs_more_gpus_to_be_faster_and_never_beats_its_critical_path(elsewhere):
    _, found = planned()
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert all(name in names[: names.index(one.name)] for one in found for name in one.after)
    assert len([one for one in found if one.kind == "training"]) == 53
    assert len([one for one in found if one.kind == "reward models"]) == 12
    few, many = (end(schedule(found, Machines(gpus, 8 * gpus))).value for gpus in (8, 64))
    busy = sum(one.need.seconds.value * one.need.gpus for one in found)
    assert length(critical_path(found)).value <= many < few
    assert busy / 8 <= few <= 1.5 * busy / 8 + length(critical_path(found)).value


def test_pruning_keeps_a_final_model_of_each_training_and_lowers_the_peak(elsewhere):
    sizing, found = planned()
    machines = Machines(8, 64)
    used = disk(sizing, schedule(found, machines), schedule(found, machines, sample_first=True))
    saved = sum(
        (sizing.work.checkpoints(one).value - 1) * sizing.parameters(one.model).value * BYTES[sizing.study.models[one.model].dtype]
        for one in sizing.study.runs.values()
        if one.training
    )
    assert used.kept.value - used.pruned.value == pytest.approx(saved)
    assert used.pruned.value < used.peak_pruned.value < used.kept.value <= used.peak_kept.value
    assert used.downloads.value > 2 * sum(sizing.parameters(model).value for model in sizing.study.models)


def test_two_states_lie_there_while_one_replaces_the_other(elsewhere):
    sizing, found = planned()
    sft = [one for one in found if one.name == "llama3-3b/wildchat"]
    used = disk(sizing, slots := schedule(sft, Machines(8, 64)), slots)
    states = 2 * 3 * 4 * sizing.parameters("llama3-3b").value  # weights and two moments in float32
    assert used.peak_kept.value - used.kept.value == pytest.approx(states)


def test_rows_add_up_and_fit_a_terminal(elsewhere):
    sizing, found = planned()
    unit = table.Unit.of(found, gpus=True)
    assert str(unit) == "GPU hours"
    lines = table.by_run(sizing, found, uses(sizing.work), unit)
    assert len(lines) == 1 + 57 + 2 + 2 and max(map(len, lines)) <= 130

    ends = {heading.group(): heading.end() for heading in re.finditer(r"\S+", lines[0])}

    def hours(line, kind):
        """The number that ends where its heading ends."""
        cell = line[: ends[kind]].split(" ")[-1].lstrip("~≤")
        return float(cell.replace(",", "")) if cell else 0.0

    kinds = ("train", "sample", "judge", "bench")
    for kind in (*kinds, "all"):
        rounding = 0.05 * len(lines)
        assert sum(hours(line, kind) for line in lines[1:-2]) == pytest.approx(hours(lines[-1], kind), abs=rounding)
    assert hours(lines[-1], "train") > 50
    assert sum(hours(lines[-1], kind) for kind in kinds) < hours(lines[-1], "all")


def test_gpus_that_contradict_the_config_are_refused():
    with pytest.raises(UserError, match="--gpus 4"):
        run(config=[ROOT / "config" / "miniature.yaml"], gpus=4)


def test_the_plan_is_compared_with_what_snakemake_wrote_down(elsewhere):
    found = [step("a", 10), step("b", 30, "a"), step("c" * 300, 20), step("never", 5)]
    with pytest.raises(UserError, match="run the study here first"):
        measured.told(found, Machines(1, 1))
    # a and c at once, a pause of a minute, then b.
    for one, start, finish in ((found[0], 0, 10), (found[2], 5, 30), (found[1], 90, 105)):
        name = base64.urlsafe_b64encode(str(one.output).encode()).decode()
        parts = [name[i : i + 254] for i in range(0, len(name), 254)]
        path = Path(".snakemake/metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"starttime": 1e9 + start, "endtime": 1e9 + finish}))
    lines = [line.split() for line in measured.told(found, Machines(2, 1))]
    assert lines[1] == ["training", "3", "60", "50", "1.20"]
    assert lines[3] == ["all", "on", "the", "clock", "3", "40", "45", "0.89"]
    assert lines[-1] == ["not", "run", "here:", "never"]
