"""The grids and totals of the paper's times, and which rule their counts fit.

Every time that it prints comes out of the drift code to the digit, given a trajectory on the paper's grid that is made to have it: this
tests the grid, not the rule.
"""

import csv
import json
from itertools import groupby
from pathlib import Path

import pytest

from manifests import manifest
from valuedrift.config.drift import DriftConfig, DriftJob, ValuesConfig
from valuedrift.drift import magnitude_and_time
from valuedrift.io.tables import DRIFT, VALUES

REFERENCE = Path(__file__).parents[2] / "config" / "reference" / "paper_drift.csv"
RUN = ("table", "model", "sft_dataset", "phase", "preference_dataset", "chosen")
# Data → steps between checkpoints, and the training's steps as the paper's times imply them and as the trainers count them, which
# round up in each epoch. WildChat's times are of 5,500, its last checkpoint on the grid; how long it was trained must not matter.
GRIDS = {
    "wildchat": (500, {"paper": 5997, "real": 5997}),
    "alpaca": (100, {"paper": 1097, "real": 1098}),
    "synthetic": (100, {"paper": 888, "real": 888}),
    "ultrafeedback": (400, {"paper": 5710, "real": 5712}),
}
PPO_REAL = {"synthetic": 887, "ultrafeedback": 5711}
NO_GRID = ("1", "llama3-3b", "wildchat", "dpo", "ultrafeedback", "", "Discussions on Abortion", "oppose", "0.20")
CONFIG = DriftJob(values=ValuesConfig(), drift=DriftConfig(totals={"wildchat": "grid"}), seed=0)


def reference():
    with REFERENCE.open() as file:
        return list(csv.DictReader(file))


def run_of(row):
    return "/".join(row[name] for name in RUN)


def data_of(row):
    return row["preference_dataset"] or row["sft_dataset"]


def grid(row, counted):
    """Saved steps of the row's run without the start, and the steps of its training."""
    every, totals = GRIDS[data_of(row)]
    total = PPO_REAL[data_of(row)] if counted == "real" and row["phase"] == "ppo" else totals[counted]
    return sorted({*range(every, total, every), total}), total


def implied(row):
    """The checkpoints, counted from 0, at which the printed time can have been taken."""
    steps, total = grid(row, "paper")
    if data_of(row) == "wildchat":
        steps, total = steps[:-1], steps[-2]
    return [number for number, step in enumerate(steps) if f"{step / total:.2f}" == row["value"]]


def trajectory(row, reached, rising, counted):
    """Rows of VALUES: on the grid the value comes within 0.02 of its extremum at checkpoint `reached`; the extremum is the last."""
    steps, _ = grid(row, counted)
    on_grid = steps[:-1] if data_of(row) == "wildchat" else steps
    means = [0.2, *(0.59 if number >= reached else 0.2 + 0.3 * number / reached for number in range(len(on_grid) - 1)), 0.6]
    means += [0.9] * (len(steps) - len(on_grid))  # a final checkpoint off the grid would be the extremum if it were a candidate
    for step, mean in zip([0, *steps], means if rising else [1 - mean for mean in means], strict=True):
        yield {"run": run_of(row), "step": step, "judge": "j", "category": row["category"], "stance": row["stance"], "mean": mean,
               "low": mean - 0.02, "high": mean + 0.02, "prompts": 50, "unscorable": 0.0, "malformed": 0.0, "refused": 0.0}  # fmt: skip


def drift_times(rows, folder, counted):
    """(run, category, stance) → time in two digits, from the drift code."""
    magnitudes = {(run_of(r), r["category"], r["stance"]): float(r["value"]) for r in reference() if r["metric"] == "magnitude"}
    values, manifests = [], []
    for run, cells in groupby(sorted(rows, key=run_of), key=run_of):
        for row in cells:
            reached = implied(row)[0] if implied(row) else 2  # 1,200 of 5,710 is the checkpoint nearest to 0.20
            values += trajectory(row, reached, magnitudes[run, row["category"], row["stance"]] >= 0, counted)
        manifests.append(folder / f"{len(manifests)}.json")
        saved = sorted({value["step"] for value in values if value["run"] == run_of(row)} - {0})
        of_run = manifest(run, saved, dataset=data_of(row), total_steps=grid(row, counted)[1])
        manifests[-1].write_text(json.dumps(of_run))
    VALUES.write(VALUES.frame(values), folder / "values.parquet")
    magnitude_and_time.run(
        config=CONFIG, manifests=manifests, values=[folder / "values.parquet"], stances=[], output=folder / "drift.parquet"
    )
    drift = DRIFT.read(folder / "drift.parquet").iter_rows(named=True)
    return {(row["run"], row["category"], row["stance"]): f"{row['time']:.2f}" for row in drift}


@pytest.mark.parametrize("counted", ["paper", "real"])
def test_every_printed_time_comes_out_to_the_digit_but_one(tmp_path, counted):
    printed = [row for row in reference() if row["metric"] == "time"]
    assert len(printed) == 1083
    found = drift_times(printed, tmp_path, counted)
    wrong = [row for row in printed if found[run_of(row), row["category"], row["stance"]] != row["value"]]
    assert [(*(row[name] for name in (*RUN, "category", "stance")), row["value"]) for row in wrong] == [NO_GRID]
    assert [found[run_of(row), row["category"], row["stance"]] for row in wrong] == ["0.21"]


def test_a_printed_time_implies_one_checkpoint():
    """Otherwise the test above could choose the checkpoint that suits it."""
    counts = {len(implied(row)) for row in reference() if row["metric"] == "time" and row["value"] != NO_GRID[-1]}
    assert counts == {1}


def test_no_checkpoint_every_100_steps_gives_the_one_exception():
    assert not [step for step in range(100, 5713, 100) for total in (5710, 5711, 5712) if f"{step / total:.2f}" == "0.20"]


def test_how_many_small_drifts_are_at_the_first_checkpoint_tells_the_tables_apart():
    """The counts of docs/drift-times.md: the rule gives 92 to 95% of trajectories without drift, the extremum's own time 6 to 10%."""
    magnitudes = {(run_of(r), r["category"], r["stance"]): float(r["value"]) for r in reference() if r["metric"] == "magnitude"}
    times = [row for row in reference() if row["metric"] == "time"]
    small = [row for row in times if abs(magnitudes[run_of(row), row["category"], row["stance"]]) <= 0.025]
    at_first = {
        tables: [implied(row) == [0] for row in small if row["table"] in tables]
        for tables in (("9", "10", "11", "12"), ("13", "14", "15"), ("16",), ("1",))
    }
    assert [(sum(firsts), len(firsts)) for firsts in at_first.values()] == [(22, 31), (14, 186), (1, 37), (0, 7)]
    assert sum(row["value"] in ("0.23", "0.34") for row in times if row["table"] == "16") == 173
