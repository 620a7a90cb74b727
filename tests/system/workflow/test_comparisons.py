"""What is added to a finished study to compare its runs: contrasts, and a second sampling of the ends of its runs."""

import copy

import polars as pl
import pytest

from clone import SMALL
from valuedrift.io import tables

DPO, PPO = "mini/wildchat/dpo-synthetic-oppose", "mini/wildchat/ppo-synthetic-oppose"
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def results(finished):
    study = copy.deepcopy(SMALL)
    study["generation"]["replicates"] = 2
    study["contrasts"] = {
        "algorithms": {"pairs": {"DPO less PPO": [PPO, DPO]}},
        "judges": {"runs": {"DPO": DPO}, "judges": ["oracle", "mini-judge"], "of": "drift"},
    }
    study["tables"]["differences"] = {"kind": "contrast", "contrast": "algorithms"}
    study["figures"]["forest_of_judges"] = {"kind": "forest", "contrast": "judges"}
    assert finished.planned(study) == {
        "generations": 4, "stances": 4, "noise": 1, "contrast": 2, "contrast_table": 1, "forest": 1, "report": 1,
    }  # fmt: skip
    finished.run(study)
    assert finished.planned(study) == {}
    return finished.folder / "results" / "small"


def test_a_contrast_is_the_difference_of_the_runs_values(results):
    found = tables.CONTRASTS.read(results / "contrasts" / "algorithms.parquet")
    assert found.height == 4 * 3
    values = {run: tables.VALUES.read(results / "runs" / run / "values.parquet") for run in (PPO, DPO)}
    last = [frame.filter(pl.col("judge") == "mini-judge", pl.col("step") == pl.col("step").max()) for frame in values.values()]
    both = found.join(last[0], on=["category", "stance"]).join(last[1], on=["category", "stance"], suffix="_dpo")
    assert both["difference"].to_list() == pytest.approx((both["mean_dpo"] - both["mean"]).to_list())
    for name in ("tables/differences.tex", "figures/forest_of_judges.pdf"):
        assert (results / name).stat().st_size > 0


def test_the_ends_are_sampled_anew_and_nothing_drifts(results):
    run = results / "runs" / DPO
    own, again = (tables.GENERATIONS.read(folder / "generations.parquet") for folder in (run, run / "replicate"))
    assert set(again["step"]) == {0, own["step"].max()} and not set(own["seed"]) & set(again["seed"])
    parent = tables.GENERATIONS.read(results / "runs" / "mini" / "wildchat" / "replicate" / "generations.parquet")
    copied = again.filter(pl.col("step") == 0)["response"].to_list()
    assert copied == parent.filter(pl.col("step") == pl.col("step").max())["response"].to_list()
    noise = tables.NOISE.read(results / "noise.parquet")
    assert noise["run"].n_unique() == 4 and noise.height == 4 * 4 * 3
    assert (noise["verdict"] == "moved").sum() == 0
    assert "The drift of nothing" in (results / "report.html").read_text()
