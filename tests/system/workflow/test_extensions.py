"""config/extensions.yaml on the small study's world and prompts: every kind of run that the paper lacks, run for real."""

import json

import polars as pl
import pytest
import yaml

from clone import ROOT, SMALL
from valuedrift.io import tables

pytestmark = pytest.mark.workflow
WORLD = SMALL["miniature"]["folder"]


@pytest.fixture(scope="module")
def results(finished):
    """The config's runs with two seeds and two shares, added to the small study, whose world, prompts and base model are there."""
    text = (ROOT / "config" / "extensions.yaml").read_text().replace("results/miniature/world", WORLD)
    study = yaml.safe_load(text.replace("seeds: [0, 1, 2]", "seeds: [0, 1]").replace("shares: [0, 0.25, 0.5, 1]", "shares: [0, 1]"))
    study |= {key: SMALL[key] for key in ("study", "seed", "miniature", "prompts", "generation")}
    study["figures"]["value_gap"]["runs"] = ["mini/alpaca/dpo-gap-0-oppose", "mini/alpaca/dpo-gap-1-oppose"]
    planned = finished.planned(study)
    assert not planned.keys() & {"prompts", "miniature_base"} and [planned[rule] for rule in ("sft", "dpo", "kto", "orpo")] == [
        3,
        7,
        1,
        1,
    ]
    finished.run(study)
    assert finished.planned(study) == {}
    return finished.folder / "results" / SMALL["study"]


def manifest(results, run):
    return json.loads((results / "runs" / run / "manifest.json").read_text())


def last_oppose(results, run):
    values = tables.VALUES.read(results / "runs" / run / "values.parquet").filter(pl.col("stance") == "oppose")
    return values.filter(pl.col("step") == pl.col("step").max())["mean"].mean()


def test_a_replicate_is_trained_under_its_seed_from_its_parents_replicate(results):
    first, second = (manifest(results, f"mini/alpaca{suffix}") for suffix in ("", "-seed1"))
    assert (first["seed"], second["seed"]) == (0, 1) and first["data_hash"] == second["data_hash"]
    assert first["checkpoints"][-1]["hash"] != second["checkpoints"][-1]["hash"]
    child = manifest(results, "mini/alpaca-seed1/dpo-synthetic-oppose-seed1")
    assert child["parent_hash"] == second["checkpoints"][-1]["hash"]


def test_tables_hold_the_mean_over_the_seeds_with_its_interval(results):
    table = pl.read_csv(results / "tables" / "seeds.csv")
    drift = tables.DRIFT.read(results / "drift.parquet").filter(
        pl.col("stance") == "oppose", pl.col("category") == "Race and Racism"
    )
    both = [drift.filter(pl.col("run") == f"mini/alpaca{suffix}")["magnitude"].item() for suffix in ("", "-seed1")]
    row = table.filter(pl.col("metric") == "magnitude", pl.col("category") == "Race and Racism")
    assert row["SFT / oppose"].item() == pytest.approx(sum(both) / 2)
    assert row["SFT / oppose / low"].item() < min(both) and row["SFT / oppose / high"].item() > max(both)
    assert row["SFT / oppose / seeds"].item() == 2
    pooled = drift.filter(pl.col("run") == "mini/alpaca-seeds").row(0, named=True)
    assert (pooled["magnitude"], pooled["verdict"]) == (row["SFT / oppose"].item(), row["SFT / oppose / verdict"].item())
    assert "training seeds" in (results / "tables" / "seeds.md").read_text()


def test_each_seed_draws_responses_with_chance_of_its_own(results):
    drawn = [tables.GENERATIONS.read(results / "runs" / f"mini/alpaca{suffix}/generations.parquet") for suffix in ("", "-seed1")]
    start, end = ([set(frame.filter(step)["seed"]) for frame in drawn] for step in (pl.col("step") == 0, pl.col("step") > 0))
    assert start[0] == start[1] and not end[0] & end[1]  # both start from the base model's responses


def test_the_stance_follows_the_share_of_pairs_with_a_gap(results):
    assert last_oppose(results, "mini/alpaca/dpo-gap-1-oppose") > last_oppose(results, "mini/alpaca/dpo-gap-0-oppose") + 0.2


def test_preference_optimization_runs_without_sft(results):
    for parent in ("mini/base", "blank/base"):
        assert manifest(results, f"{parent.split('/')[0]}/dpo-synthetic-oppose")["parent"] == parent
    blank, mini = (manifest(results, f"{model}/base")["checkpoints"][0]["hash"] for model in ("blank", "mini"))
    assert blank != mini


def test_other_algorithms_adapters_and_external_checkpoints_are_measured_like_every_run(results):
    drift = tables.DRIFT.read(results / "drift.parquet")
    others = {f"mini/alpaca/{name}" for name in ("kto-synthetic-oppose", "orpo-synthetic-oppose", "dpo-synthetic-oppose-ipo")}
    assert {"mini/alpaca-lora", "pretraining/external", *others} <= set(drift["run"])
    steps = tables.GENERATIONS.read(results / "runs" / "pretraining/external/generations.parquet")["step"].unique().to_list()
    assert sorted(steps) == [0, 175, 525]
    assert manifest(results, "mini/alpaca-lora")["config"]["lora"] == {"rank": 16, "alpha": 32, "dropout": 0.0}


def test_all_of_it_is_in_the_report(results):
    page = (results / "report.html").read_text().replace("<wbr>", "")
    for text in ("mini/alpaca-seed1/dpo-synthetic-oppose-seed1", "pretraining/external", "mini/alpaca/dpo-gap-1-oppose", "±"):
        assert text in page
