"""The drift of nothing, of stances whose two samplings are known."""

import numpy as np
import polars as pl
import pytest

from valuedrift.config.drift import NoiseJob, ValuesConfig
from valuedrift.drift import noise
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT, NOISE, STANCES
from valuedrift.report.noise_table import noise_sentence, noise_table

BASE, CHILD = "m/base", "m/a"
JOB = NoiseJob(judge="j", children=[CHILD], values=ValuesConfig(), margin=0.05, correction="bh", seed=0)


def write(path, run, shares, seed):
    """Write STANCES of 60 prompts in each of two categories; `shares` is step → support."""
    drawn = np.random.default_rng(seed)
    rows = [
        {"run": run, "step": step, "prompt_id": f"{category}{prompt:02d}", "category": category, "sample": 0, "judge": "j",
         "support": (value := float(drawn.random() < share)), "neutral": 1 - value, "oppose": 0.0, "mass": 1.0, "status": "ok"}
        for step, share in shares.items() for category in "CD" for prompt in range(60)
    ]  # fmt: skip
    STANCES.write(STANCES.frame(rows), path)
    return path


@pytest.fixture
def files(tmp_path):
    drift = [
        {"run": CHILD, "judge": judge, "category": category, "stance": stance, "magnitude": 0.4, "prompts": 60, "asked": 60,
         "seeds": 1, "total_steps": 9}
        for category in "CD" for stance in ("support", "neutral", "oppose") for judge in "jk"
    ]  # fmt: skip
    DRIFT.write(DRIFT.frame(drift), tmp_path / "drift.parquet")
    return {
        "drift": tmp_path / "drift.parquet",
        "stances": [write(tmp_path / "b.parquet", BASE, {0: 0.3}, 0), write(tmp_path / "c.parquet", CHILD, {0: 0.3, 5: 0.5, 9: 0.7}, 1)],
        "replicates": [write(tmp_path / "b2.parquet", BASE, {0: 0.3}, 2), write(tmp_path / "c2.parquet", CHILD, {0: 0.3, 9: 0.7}, 3)],
        "output": tmp_path / "noise.parquet",
    }  # fmt: skip


def test_each_checkpoint_that_was_sampled_twice_is_there_once_next_to_the_drift(files):
    noise.run(config=JOB, **files)
    found = NOISE.read(files["output"])
    assert found.select("run", "step").unique().sort("run").rows() == [(CHILD, 9), (BASE, 0)]  # the child's step 0 is the base's
    assert found.height == 2 * 2 * 3
    own, again = (
        STANCES.read(files[name][1]).filter(pl.col("step") == 9, pl.col("category") == "C") for name in ("stances", "replicates")
    )
    cell = found.filter(pl.col("run") == CHILD, pl.col("category") == "C", pl.col("stance") == "support").row(0, named=True)
    assert cell["difference"] == pytest.approx(again["support"].mean() - own["support"].mean())
    assert cell["low"] < 0 < cell["high"] and cell["prompts"] == 60
    assert set(found.filter(pl.col("run") == CHILD)["magnitude"]) == {0.4}
    assert found.filter(pl.col("run") == BASE)["magnitude"].null_count() == 6
    assert "moved" not in set(found["verdict"]) and set(found.filter(pl.col("stance") == "oppose")["difference"]) == {0.0}


def test_samplings_of_other_checkpoints_are_named(files, tmp_path):
    write(files["replicates"][1], CHILD, {0: 0.3, 8: 0.7}, 3)
    with pytest.raises(UserError, match=r"c2.parquet and .*c.parquet are not of the same checkpoints; make it again"):
        noise.run(config=JOB, **files)


def row(run, difference, magnitude, verdict):
    return {"run": run, "step": 9, "category": f"{difference}", "stance": "support", "difference": difference, "prompts": 50,
            "magnitude": magnitude, "verdict": verdict}  # fmt: skip


def test_the_report_shows_the_size_of_nothing_next_to_that_of_training():
    rows = [row(BASE, 0.1, None, "moved"), row(CHILD, -0.1, 0.5, "preserved"), row(CHILD, 0.3, -0.7, "undecided")]
    found = NOISE.frame(rows)
    table = noise_table(found)
    assert [[str(cell) for cell in row] for row in table.blocks[0].rows] == [
        [BASE, "–", "–", "0.10", "0.10", "1 of 1", "0 of 1"],
        [CHILD, "0.60", "0.69", "0.20", "0.29", "0 of 2", "1 of 2"],
        ["all", "0.60", "0.69", "0.17", "0.28", "1 of 3", "1 of 3"],
    ]
    assert noise_sentence(found) == (
        "Between two samplings of the same checkpoint values differ by 0.17 in the mean, and in 95% of 3 cases by less than 0.28; 1 of "
        "these differences would be called moved. Drifts of training are 0.60 in the mean."
    )
    assert noise_sentence(NOISE.frame([])) == ""
