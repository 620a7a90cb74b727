"""Values and drift of a run over its seeds."""

import json

import numpy as np
import polars as pl
import pytest
from test_drift import manifest, stance_rows

from valuedrift.config.drift import DriftConfig, PooledDriftJob, PooledValuesJob, ValuesConfig
from valuedrift.drift import pooled_drift, pooled_values
from valuedrift.drift.values import prompt_means, values
from valuedrift.io.tables import DRIFT, STANCES, VALUES

SEEDS = ["m/a", "m/a-seed1", "m/a-seed2"]
JOB = {"values": ValuesConfig(), "seed": 0, "run": "m/a-seeds"}


def responses(shift, seed, prompts=20, steps=(0, 5, 10)):
    """{step: {prompt: responses}}: support rises by `shift` to the last step."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.2, 0.5, prompts)
    found = {step: {f"p{i}": [(x, 1 - x, 0.0) for x in np.clip(own[i] + shift * step / 10 + rng.uniform(-0.1, 0.1, 2), 0, 1)]
                    for i in range(prompts)} for step in steps}  # fmt: skip
    return found


def study(**changes):
    shifts = {run: 0.1 + 0.05 * n for n, run in enumerate(SEEDS)}
    return {run: stance_rows(changes.get(run, responses(shift, n)), run=run) for n, (run, shift) in enumerate(shifts.items())}


def test_a_pooled_value_is_the_mean_over_seeds_and_wider_than_one_seeds_where_they_differ():
    rows = pl.concat(study().values())
    found = pooled_values.pooled_values(rows, PooledValuesJob(**JOB))
    single = values(rows, ValuesConfig(), 0).group_by("step", "category", "stance").agg(pl.col("mean").mean())
    joined = found.join(single, on=["step", "category", "stance"], suffix="_over_runs")
    assert joined["mean"].to_list() == pytest.approx(joined["mean_over_runs"].to_list())
    end = found.filter(pl.col("step") == 10, pl.col("stance") == "support").row(0, named=True)
    assert (end["run"], end["prompts"]) == ("m/a-seeds", 20) and end["low"] < end["mean"] < end["high"]
    one = values(study()["m/a"], ValuesConfig(), 0).filter(pl.col("step") == 10, pl.col("stance") == "support").row(0, named=True)
    assert end["high"] - end["low"] > one["high"] - one["low"]


def test_values_are_pooled_over_the_steps_and_prompts_of_all_seeds_and_null_where_a_seed_has_none():
    longer, empty = responses(0.2, 1, steps=(0, 5, 10, 15)), responses(0.3, 2)
    longer[5]["p3"] = [None, None]
    empty[10] = {prompt: [None, None] for prompt in empty[10]}
    rows = pl.concat(study(**{SEEDS[1]: longer, SEEDS[2]: empty}).values())
    found = pooled_values.pooled_values(rows, PooledValuesJob(**JOB)).filter(pl.col("stance") == "support")
    assert found.select("step", "prompts").rows() == [(0, 20), (5, 19), (10, 0)]
    assert found["mean"].null_count() == found["low"].null_count() == 1
    assert found["unscorable"].to_list() == pytest.approx([0, 2 / 40 / 3, 1 / 3])


def test_what_crossed_returns_is_by_seed_and_prompt():
    rows = pl.concat(study().values())
    support = prompt_means(rows).filter(pl.col("stance") == "support", pl.col("step") == 5)
    (sample,) = pooled_values.crossed(support, ["category"], "mean")["mean"].to_list()
    assert sample.shape == (3, 20)
    by_hand = support.filter(pl.col("run") == SEEDS[1]).sort("prompt_id")["mean"].to_list()
    assert sample[1].tolist() == by_hand


def drift_of(tmp_path, rows):
    for n, (run, frame) in enumerate(rows.items()):
        STANCES.write(frame, tmp_path / f"{n}.parquet")
        (tmp_path / f"{n}.json").write_text(json.dumps(manifest(run, [5, 10]) | {"parent": "m/base"}))
    stances, manifests = ([tmp_path / f"{n}.{kind}" for n in range(len(rows))] for kind in ("parquet", "json"))
    pooled_values.run(config=PooledValuesJob(**JOB), stances=stances, output=tmp_path / "values.parquet")
    pooled_drift.run(
        config=PooledDriftJob(**JOB, drift=DriftConfig()), manifests=manifests, values=tmp_path / "values.parquet", stances=stances,
        output=tmp_path / "drift.parquet",
    )  # fmt: skip
    return DRIFT.read(tmp_path / "drift.parquet")


def test_a_pooled_drift_is_the_mean_over_seeds_with_their_spread_in_interval_and_p(tmp_path):
    rows = study()
    found = drift_of(tmp_path, rows).row(0, named=True)
    ends = [values(frame, ValuesConfig(), 0).filter(pl.col("stance") == "support").sort("step")["mean"] for frame in rows.values()]
    assert found["magnitude"] == pytest.approx(np.mean([end[-1] - end[0] for end in ends]))
    assert (found["run"], found["seeds"], found["prompts"], found["asked"]) == ("m/a-seeds", 3, 20, 20)
    assert found["magnitude_low"] < 0.1 < found["magnitude_high"] and found["p"] is not None
    assert (
        found["half"] == pytest.approx(0.5, abs=0.15) and found["half_low"] is None
    )  # a straight line, and other seeds are unknown
    assert VALUES.read(tmp_path / "values.parquet")["run"].unique().to_list() == ["m/a-seeds"]
    alike = {run: frame.with_columns(run=pl.lit(run)) for run in SEEDS for frame in [rows[SEEDS[0]]]}
    same = drift_of(tmp_path, alike).row(0, named=True)
    assert same["p"] < 1e-4 < found["p"]
    assert same["magnitude_high"] - same["magnitude_low"] < (found["magnitude_high"] - found["magnitude_low"]) / 2


def test_a_seed_without_a_scored_prompt_is_left_out_of_the_drift_and_not_counted(tmp_path):
    empty = responses(0.3, 2)
    empty[10] = {prompt: [None] * 2 for prompt in empty[10]}
    found = drift_of(tmp_path, study(**{SEEDS[2]: empty}))
    assert found["seeds"].to_list() == [2] * 3 and found["prompts"].to_list() == [20] * 3
    nothing = {step: {prompt: [None] * 2 for prompt in empty[10]} for step in (0, 5, 10)}
    none = drift_of(tmp_path, study(**dict.fromkeys(SEEDS, nothing)))
    assert none["magnitude"].null_count() == 3 and none["seeds"].to_list() == [0] * 3 and none["asked"].to_list() == [20] * 3
