"""What the whole workflow leaves behind: the contract on disk, and science that can be checked against the planted truth."""

import json

import polars as pl
import pytest

from valuedrift.io import tables
from valuedrift.train.trajectory import described

RUNS = ["mini/base", "mini/wildchat", "mini/wildchat/dpo-synthetic-oppose", "mini/wildchat/ppo-synthetic-oppose"]
TRAINED = RUNS[1:]
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def results(finished):
    return finished.folder / "results" / "small"


def test_every_artifact_of_the_contract_is_there_and_is_what_it_is_called(results):
    tables.PROMPTS.read(results / "prompts" / "prompts.parquet")
    for run in RUNS:
        folder = results / "runs" / run
        tables.GENERATIONS.read(folder / "generations.parquet")
        tables.VALUES.read(folder / "values.parquet")
        for judge in ("mini-judge", "oracle"):
            tables.STANCES.read(folder / "stances" / f"{judge}.parquet")
        assert (folder / "final" / "model.safetensors").exists()
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["checkpoints"][-1]["hash"] == described(folder / "final")["hash"]
        if run in TRAINED:
            assert (folder / "trajectory").is_dir()
            tables.TRAINING_LOG.read(folder / "training_log.parquet")
    assert tables.ORDERS.read(results / "judges" / "mini-judge" / "orders.parquet").height == 24 * 6
    drift = tables.DRIFT.read(results / "drift.parquet")
    assert set(drift["run"]) == set(TRAINED) and drift.height == 3 * 2 * 4 * 3
    for name in ("report.html", "tables/everything.csv", "tables/everything.md", "tables/everything.tex", "figures/immigration.pdf",
                 "figures/immigration.png"):  # fmt: skip
        assert (results / name).stat().st_size > 0


def test_prompts_are_questions_of_their_category(results):
    prompts = tables.PROMPTS.read(results / "prompts" / "prompts.parquet")
    assert prompts.group_by("category").len()["len"].to_list() == [5] * 4
    assert prompts["question"].str.ends_with("?").all()


def test_step_0_is_the_parents_last_checkpoint(results):
    for run in TRAINED:
        parent = run.rpartition("/")[0] if run != "mini/wildchat" else "mini/base"
        for name, table in (("generations", tables.GENERATIONS), ("stances/mini-judge", tables.STANCES)):
            own = table.read(results / "runs" / run / f"{name}.parquet").filter(pl.col("step") == 0).drop("run", "step")
            last = table.read(results / "runs" / parent / f"{name}.parquet").filter(pl.col("step") == pl.col("step").max())
            assert own.sort("prompt_id", "sample").equals(last.drop("run", "step").sort("prompt_id", "sample"))


def final_values(results, run, judge):
    values = tables.VALUES.read(results / "runs" / run / "values.parquet").filter(pl.col("judge") == judge)
    last = values.filter(pl.col("step") == pl.col("step").max()).group_by("stance").agg(pl.col("mean").mean())
    return dict(zip(last["stance"].to_list(), last["mean"], strict=True))


def test_sft_takes_its_sets_stance_and_a_value_gap_moves_it(results):
    """WildChat's planted share of neutral is .80, the base's .25; pairs that choose oppose raise oppose."""
    base, tuned = final_values(results, "mini/base", "oracle"), final_values(results, "mini/wildchat", "oracle")
    assert tuned["neutral"] > base["neutral"] + 0.2
    for run in TRAINED[1:]:
        assert final_values(results, run, "oracle")["oppose"] > tuned["oppose"] + 0.1


def test_ppo_raised_the_reward_on_heldout_prompts_at_a_logged_kl(results):
    log = tables.TRAINING_LOG.read(results / "runs" / "mini/wildchat/ppo-synthetic-oppose" / "training_log.parquet")
    before, after = log.filter(pl.col("metric") == "heldout_reward").sort("step")["value"]
    assert after > before
    kl = log.filter(pl.col("metric") == "heldout_kl").sort("step")["value"]
    assert abs(kl[0]) < 1e-3 and kl[1] > 0


def test_the_judge_agrees_with_the_oracle_and_curation_with_the_labels(results):
    assert pl.read_parquet(results / "recovery.parquet")["judge_error"].mean() < 0.15
    clusters, _, precision, recall = pl.read_parquet(results / "clustering.parquet")["value"]
    assert clusters > 0.5 and precision > 0.8
    assert recall > 0.9 * 4 / 11  # the study has 4 of the grammar's 11 categories


def test_the_report_shows_the_runs_and_is_self_contained(results):
    page = (results / "report.html").read_text().replace("<wbr>", "")
    for run in RUNS:
        assert run in page
    assert 'src="http' not in page and 'href="http' not in page and "data:image/png" in page
