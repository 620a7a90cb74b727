import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import manifest
from valuedrift.config.drift import DriftConfig, DriftJob, ValuesConfig, ValuesJob
from valuedrift.drift import magnitude_and_time, study, values
from valuedrift.drift.trajectory import Drift, Point, drift_time
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT, STANCES, VALUES
from valuedrift.stats.intervals import share_intervals

PAPER = DriftConfig()
BY_HAND = ValuesConfig(interval="t")


def trajectory(means, step=100, half=0.02):
    return [Point(i * step, mean, mean - half, mean + half) for i, mean in enumerate(means)]


# Hand-computed: eta is the first checkpoint after the start within the interval of the extremum, over the total.
@pytest.mark.parametrize(
    ("means", "total", "config", "time", "extremum", "step"),
    [
        ([0.2, 0.5, 0.59, 0.6, 0.6], 400, PAPER, 0.5, 0.6, 300),  # 0.59 is within 0.02 of 0.6
        ([0.2, 0.5, 0.7, 0.6, 0.6], 400, PAPER, 0.5, 0.7, 200),  # rises: the peak, though it falls again
        ([0.8, 0.3, 0.1, 0.2], 300, PAPER, 2 / 3, 0.1, 200),  # falls: the low point
        ([0.5, 0.5, 0.5], 200, PAPER, 0.5, 0.5, 100),  # no change: the start is not a candidate, so never 0
        ([0.5, 0.9, 0.49], 200, PAPER, 1.0, 0.49, 200),  # ends a little lower: the direction is down
        ([0.5, 0.9, 0.49], 200, DriftConfig(extremum="farthest"), 0.5, 0.9, 100),
        ([0.5, 0.5, 0.5], 200, DriftConfig(start_is_candidate=True), 0.0, 0.5, 0),
        ([0.2, 0.5, 0.59, 0.6, 0.6], 400, DriftConfig(reach="extremum"), 0.75, 0.6, 300),
        ([0.2, 0.6, 0.6], 1097, PAPER, 100 / 1097, 0.6, 100),  # Alpaca's grid: k * 100 / 1097
        ([0.2, 0.6, 0.6], 1097, DriftConfig(total="last_checkpoint"), 0.5, 0.6, 100),
        ([0.2, 0.6, 0.6], 1097, DriftConfig(total="grid"), 0.5, 0.6, 100),
    ],
)
def test_drift_time(means, total, config, time, extremum, step):
    found = drift_time(trajectory(means), total, config)
    assert (found.time, found.extremum, found.extremum_step) == (pytest.approx(time), extremum, step)


def test_what_cannot_be_measured_is_none():
    assert drift_time([], 10, PAPER).time is None
    assert drift_time([Point(0, 0.5, 0.4, 0.6)], 10, PAPER).time is None
    assert drift_time([Point(0, None, None, None), Point(5, 0.5, 0.4, 0.6)], 10, PAPER).time is None
    hole = [Point(0, 0.1, 0.0, 0.2), Point(5, None, None, None), Point(10, 0.9, 0.8, 1.0)]
    assert drift_time(hole, 10, PAPER).time == 1.0


def test_without_an_interval_only_the_extremum_reaches_it():
    points = [Point(0, 0.1, None, None), Point(5, 0.89, None, None), Point(10, 0.9, None, None)]
    assert drift_time(points, 10, PAPER).time == 1.0


def test_a_final_checkpoint_off_the_grid_counts_only_where_the_training_is_the_total():
    """WildChat: saved every 500 steps and at the end, 5,997."""
    points = [*trajectory([0.2, 0.3, 0.5, 0.4], step=500), Point(5997, 0.9, 0.88, 0.92)]
    assert drift_time(points, 5997, DriftConfig(total="grid")) == Drift(1000 / 1500, 0.5, 1000, 1500)
    assert drift_time(points, 5997, DriftConfig(total="last_checkpoint")) == Drift(1.0, 0.9, 5997, 5997)


def test_the_grid_is_that_of_the_saved_checkpoints_also_where_the_first_could_not_be_measured():
    points = [Point(0, 0.2, 0.1, 0.3), Point(500, None, None, None), *trajectory([0, 0, 0.6, 0.7], step=500)[2:]]
    assert drift_time(points, 1500, DriftConfig(total="grid")).time == 1.0


def test_a_training_shorter_than_the_grid_has_its_end_for_a_grid():
    assert drift_time([Point(0, 0.2, 0.1, 0.3), Point(60, 0.6, 0.5, 0.7)], 60, DriftConfig(total="grid")).time == 1.0


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=12), st.floats(0, 0.3), st.sampled_from(["direction", "farthest"]), st.randoms()
)
def test_times_lie_in_0_1_and_do_not_depend_on_the_order_of_rows(means, half, extremum, rng):
    config = DriftConfig(extremum=extremum)
    points = trajectory(means, half=half)
    found = drift_time(points, 100 * (len(means) - 1), config)
    assert 0 < found.time <= 1
    shuffled = points.copy()
    rng.shuffle(shuffled)
    assert drift_time(shuffled, 100 * (len(means) - 1), config) == found


def test_intervals_against_known_values():
    sample = np.array([1.0, 2.0, 3.0, 4.0, 5.0])  # s = 1.5811, t(4, .975) = 2.7764

    def found(kind, sample):
        return share_intervals([sample], ValuesConfig(interval=kind), 0)[0]

    assert found("t", sample) == pytest.approx((3, 3 - 1.9632, 3 + 1.9632), abs=1e-4)
    assert found("normal", sample) == pytest.approx((3, 3 - 1.3859, 3 + 1.3859), abs=1e-4)
    mean, low, high = found("bootstrap", sample)
    assert mean == 3 and 1.6 <= low <= 2.0 and 4.0 <= high <= 4.4
    assert found("t", sample[:1]) == (1.0, None, None)
    assert found("beta", np.array([0.3])) == (0.3, 0.0, 1.0)
    assert found("t", sample[:0]) == found("beta", sample[:0]) == (None, None, None)


def stance_rows(probabilities, run="m/sft", judge="j", category="c"):
    """Rows of STANCES from {step: {prompt: [(support, neutral, oppose) or None, ...]}}."""
    rows = [
        {"run": run, "step": step, "prompt_id": prompt, "category": category, "sample": i, "judge": judge, "mass": p and 1.0,
         **dict(zip(("support", "neutral", "oppose"), p or (None,) * 3, strict=True)), "status": "ok" if p else "unscorable: empty response"}
        for step, prompts in probabilities.items()
        for prompt, samples in prompts.items()
        for i, p in enumerate(samples)
    ]  # fmt: skip
    return STANCES.frame(rows)


def test_responses_of_a_prompt_are_averaged_before_prompts():
    rows = stance_rows({0: {"a": [(1, 0, 0), (1, 0, 0), (1, 0, 0)], "b": [(0, 0, 1)]}})
    table = values.values(rows, ValuesConfig(), 0)
    assert dict(zip(table["stance"].to_list(), table["mean"], strict=True)) == {"support": 0.5, "neutral": 0.0, "oppose": 0.5}
    assert table["prompts"].to_list() == [2, 2, 2]


def test_unscorable_responses_are_counted_and_left_out():
    table = values.values(stance_rows({0: {"a": [(1, 0, 0), None], "b": [None, None]}}), ValuesConfig(), 0)
    assert table["mean"].to_list() == [1.0, 0.0, 0.0]
    assert table["prompts"].to_list() == [1, 1, 1]
    assert table["unscorable"].to_list() == [0.75] * 3


def test_flags_are_counted_by_status_so_that_they_add_up_and_what_was_scored_stays_in_the_mean():
    rows = stance_rows({0: {"a": [(1, 0, 0), (0, 1, 0), (0, 0, 1), None, None]}}).with_columns(
        status=pl.Series(["ok", "refused: by rule", "malformed: repeating", "malformed: off topic", "unscorable: too long"]),
        mass=pl.Series([1.0, 0.5, 0.75, None, None]), bound=pl.Series([0.0, 0.125, 0.0625, None, None]),
        flips=pl.Series([None, 0.5, 0.25, None, None]), truncated=pl.Series([True, False, False, False, True]),
    )  # fmt: skip
    found = values.values(rows, ValuesConfig(), 0).row(0, named=True)
    shown = {name: found[name] for name in ("mean", "unscorable", "malformed", "refused", "truncated", "mass", "bound", "flips")}
    assert shown == {"mean": pytest.approx(1 / 3), "unscorable": 0.2, "malformed": 0.4, "refused": 0.2, "truncated": 0.4, "mass": 0.75, "bound": 0.0625,
                    "flips": 0.375}  # fmt: skip


@pytest.mark.parametrize("interval", ["beta", "t", "normal", "bootstrap"])
def test_a_band_is_at_least_as_wide_as_the_interval_and_stays_in_0_1(interval):
    rng = np.random.default_rng(0)
    answers = {step: {f"p{i}": [tuple(rng.permutation([0.9, 0.1, 0.0]))] for i in range(12)} for step in (0, 1, 2, 3)}
    found = values.values(stance_rows(answers), ValuesConfig(interval=interval, resamples=500), 0)
    assert (found["band_low"] <= found["low"].clip(0, 1)).all() and (found["band_high"] >= found["high"].clip(0, 1)).all()
    assert (found["band_high"] - found["band_low"] > found["high"].clip(0, 1) - found["low"].clip(0, 1)).all()
    assert found["band_low"].min() >= 0 and found["band_high"].max() <= 1


def test_a_category_without_any_score_is_null_not_zero():
    table = values.values(stance_rows({0: {"a": [None]}}), ValuesConfig(), 0)
    assert table["mean"].to_list() == [None] * 3 and table["prompts"].to_list() == [0] * 3


probability = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)).map(lambda p: tuple(x / sum(p) for x in p))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(probability, min_size=2, max_size=3), min_size=2, max_size=4), st.integers(0, 10**6))
def test_magnitudes_sum_to_zero_and_permuting_rows_changes_nothing(samples, seed):
    half = len(samples) // 2
    rows = stance_rows(
        {0: {f"p{i}": s for i, s in enumerate(samples[:half])}, 9: {f"p{i}": s for i, s in enumerate(samples[half:][:half])}}
    )
    job = DriftJob(values=ValuesConfig(), drift=DriftConfig(), seed=0)
    found = magnitude_and_time.magnitudes(rows, job)
    assert found["magnitude"].sum() == pytest.approx(0, abs=1e-12)
    assert magnitude_and_time.magnitudes(rows.sample(fraction=1, shuffle=True, seed=seed), job).equals(found)
    table = values.values(rows, ValuesConfig(), 0)
    assert values.values(rows.sample(fraction=1, shuffle=True, seed=seed), ValuesConfig(), 0).equals(table)
    assert table.group_by("step").agg(pl.col("mean").sum())["mean"].to_list() == pytest.approx([1.0] * 2)


def drift_of(tmp_path, stances, drift=PAPER, **changes):
    """DRIFT of one run through both steps, with some of its manifest's keys changed, and Student's t, for which two prompts do."""
    saved = [step for step in stances["step"].unique().sort() if step or "parent" in changes]
    of_run = manifest(stances["run"][0], saved) | changes
    STANCES.write(stances, tmp_path / "s.parquet")
    (tmp_path / "manifest.json").write_text(json.dumps(of_run))
    values.run(config=ValuesJob(values=BY_HAND, seed=0), stances=[tmp_path / "s.parquet"], output=tmp_path / "v.parquet")
    magnitude_and_time.run(
        config=DriftJob(values=BY_HAND, drift=drift, seed=0), manifests=[tmp_path / "manifest.json"],
        values=[tmp_path / "v.parquet"], stances=[tmp_path / "s.parquet"], output=tmp_path / "d.parquet",
    )  # fmt: skip
    return DRIFT.read(tmp_path / "d.parquet")


LOW, MIDDLE, HIGH = (0.25, 0.5, 0.25), (0.5, 0.25, 0.25), (0.75, 0.25, 0.0)


def test_the_two_steps_by_hand(tmp_path: Path):
    """Two prompts, three checkpoints; support goes .25 → .75 → .75, so M = .5 and the drift is done at the first of two steps."""
    stances = stance_rows({0: {"a": [LOW], "b": [LOW]}, 5: {"a": [HIGH], "b": [HIGH]}, 10: {"a": [HIGH], "b": [HIGH]}})
    drift = drift_of(tmp_path, stances)
    assert VALUES.read(tmp_path / "v.parquet").height == 9
    assert drift["magnitude"].to_list() == [0.5, -0.25, -0.25]
    assert drift["magnitude_low"].to_list() == [0.5, -0.25, -0.25]  # both prompts moved alike
    assert drift["time"].to_list() == [0.5, 0.5, 0.5]
    assert drift["extremum"].to_list() == [0.75, 0.25, 0.0]
    assert drift["total_steps"].to_list() == [10] * 3
    assert drift["half"].to_list() == [0.25] * 3 and drift["ninety"].to_list() == pytest.approx([0.45] * 3)
    assert drift["half_low"].to_list() == [0] * 3 and drift["half_high"].to_list() == [0.5] * 3  # between these checkpoints


def test_half_of_the_change_is_a_fraction_of_the_total_that_the_config_chooses(tmp_path):
    """From .25 over .5 to .75; a last checkpoint off the grid is no candidate, and a prompt that was never scored counts for nothing."""
    steps = {0: LOW, 500: MIDDLE, 1000: HIGH, 1300: MIDDLE}
    stances = stance_rows({step: {**{name: [p] for name in "abdefg"}, "c": [None]} for step, p in steps.items()})
    for total, half, low, high in (("grid", 0.5, 0.5, 0.5), ("training", 500 / 1300, 500 / 1300, 500 / 1300)):
        support = drift_of(tmp_path, stances, DriftConfig(total=total)).filter(pl.col("stance") == "support").row(0, named=True)
        assert [support[name] for name in ("half", "half_low", "half_high")] == pytest.approx([half, low, high])
    one = stances.filter(pl.col("prompt_id") == "a")
    assert drift_of(tmp_path, one)["half"].null_count() == 3  # from one prompt nothing is known of others


EXTERNAL = {"algorithm": "external", "parent": None, "dataset": None}


def test_an_external_run_drifts_from_its_own_step_0(tmp_path):
    stances = stance_rows(
        {0: {"a": [LOW], "b": [LOW]}, 1000: {"a": [HIGH], "b": [HIGH]}, 2000: {"a": [HIGH], "b": [HIGH]}}, run="olmo/external"
    )
    drift = drift_of(tmp_path, stances, **EXTERNAL)
    assert drift["magnitude"].to_list() == [0.5, -0.25, -0.25]
    assert drift["time"].to_list() == [0.5] * 3 and drift["total_steps"].to_list() == [2000] * 3


def test_one_checkpoint_is_no_drift_of_zero(tmp_path):
    drift = drift_of(tmp_path, stance_rows({0: {"a": [LOW], "b": [HIGH]}}, run="olmo/external"), **EXTERNAL)
    assert drift["magnitude"].to_list() == [None] * 3 and drift["magnitude_low"].to_list() == [None] * 3
    assert drift["time"].to_list() == [None] * 3


def test_stances_without_a_step_of_the_manifest_or_of_another_run_are_refused(tmp_path):
    stances = stance_rows({0: {"a": [LOW]}, 5: {"a": [HIGH]}, 10: {"a": [HIGH]}})
    whole = manifest("m/sft", [5, 10])["checkpoints"]
    with pytest.raises(
        UserError, match=r"s.parquet has the steps \[0, 5\] of m/sft, whose manifest has \[0, 5, 10\]; make it again with"
    ):
        drift_of(tmp_path, stances.filter(pl.col("step") < 10), checkpoints=whole, total_steps=10)
    with pytest.raises(UserError, match=r"s.parquet is of the run m/sft, of which there is no manifest"):
        drift_of(tmp_path, stances, run="m/other")
    with pytest.raises(UserError, match=r"s.parquet lacks 1 of 4 rows"):
        drift_of(tmp_path, stance_rows({0: {"a": [LOW], "b": [LOW]}, 5: {"a": [HIGH]}}))


def test_a_dataset_has_a_total_of_its_own_and_the_magnitude_is_to_the_final_model(tmp_path):
    steps = {0: LOW, 500: MIDDLE, 1000: MIDDLE, 1300: HIGH}
    stances = stance_rows({step: {"a": [p], "b": [p]} for step, p in steps.items()})
    config = DriftConfig(totals={"wildchat": "grid"})
    for dataset, time, total in (("wildchat", 0.5, 1000), ("alpaca", 1.0, 1300)):
        drift = drift_of(tmp_path, stances, config, dataset=dataset)
        support = drift.filter(pl.col("stance") == "support").row(0, named=True)
        assert (support["time"], support["total_steps"], support["magnitude"]) == (time, total, 0.5)


def test_a_dataset_has_a_reach_of_its_own(tmp_path):
    stances = stance_rows({step: {"a": [p], "b": [q]} for step, p, q in ((0, LOW, LOW), (1, MIDDLE, MIDDLE), (2, HIGH, MIDDLE))})
    config = DriftConfig(reaches={"alpaca": "extremum"})
    for dataset, time in (("wildchat", 0.5), ("alpaca", 1.0)):
        support = drift_of(tmp_path, stances, config, dataset=dataset).filter(pl.col("stance") == "support").row(0, named=True)
        assert support["time"] == time


def test_a_paired_interval_is_narrower_than_the_values_own(tmp_path):
    """Prompts that differ much but move alike: the spread between prompts cancels."""
    levels = {f"p{i}": i / 20 for i in range(10)}
    rows = stance_rows(
        {0: {p: [(x, 1 - x, 0)] for p, x in levels.items()}, 1: {p: [(x + 0.1, 0.9 - x, 0)] for p, x in levels.items()}}
    )
    found = magnitude_and_time.magnitudes(rows, DriftJob(values=ValuesConfig(), drift=DriftConfig(), seed=0)).row(0, named=True)
    assert found["magnitude"] == pytest.approx(0.1)
    assert found["magnitude_high"] - found["magnitude_low"] < 0.1
    value = values.values(rows, ValuesConfig(), 0).row(0, named=True)
    assert value["high"] - value["low"] > 0.2


def test_no_runs_give_an_empty_table(tmp_path):
    magnitude_and_time.run(
        config=DriftJob(values=ValuesConfig(), drift=DriftConfig(), seed=0), manifests=[], values=[], stances=[],
        output=tmp_path / "d.parquet",
    )  # fmt: skip
    assert DRIFT.read(tmp_path / "d.parquet").is_empty()


def drift_rows(*cells, judge="j"):
    """Rows of DRIFT, as single runs have them, of (p, p_preserved)."""
    return DRIFT.frame([
        {"run": "m/sft", "judge": judge, "category": f"c{i}", "stance": "support", "magnitude": 0.1, "prompts": 50, "asked": 50,
         "seeds": 1, "p": p, "p_preserved": kept, "total_steps": 10} for i, (p, kept) in enumerate(cells)
    ])  # fmt: skip


def study_config(**changes):
    return DriftJob(values=ValuesConfig(), drift=DriftConfig(**changes), seed=0)


def test_p_values_are_corrected_for_all_cells_of_a_judge_and_the_cells_have_verdicts():
    cells = [(0.001, 0.9), (0.02, 0.5), (0.03, 0.04), (0.5, 0.01), (0.9, 0.5), (None, None)]
    rows = pl.concat([drift_rows(*cells), drift_rows((0.04, 0.5), judge="k")])
    found = study.verdicts(rows, study_config())
    by_hand = [0.001 * 5, 0.05, 0.05, 0.5 * 5 / 4, 0.9, None]  # p · 5 / rank, at most that of the next rank
    assert found["q"].to_list()[:6] == pytest.approx(by_hand) and found["q"][6] == 0.04  # one cell needs no correction
    assert found["verdict"].to_list() == ["moved", "moved", "moved", "preserved", "undecided", None, "moved"]
    strict = study.verdicts(rows, study_config(correction="holm"))
    assert strict["q"].to_list()[:6] == pytest.approx([0.005, 0.08, 0.09, 1.0, 1.0, None])  # p · (5, 4, 3, 2, 1), never falling
    assert strict["verdict"].to_list()[:3] == ["moved", "undecided", "preserved"]


def test_in_a_study_only_cells_that_moved_have_times_unless_the_paper_s_form_is_wanted(tmp_path):
    rows = drift_rows((0.001, 0.9), (0.5, 0.01), (0.9, 0.5), (None, None)).with_columns(
        time=0.5, half=0.25, half_low=0.125, half_high=0.5, extremum_step=pl.lit(5, pl.Int64)
    )
    DRIFT.write(rows, tmp_path / "run.parquet")
    for times, shown in (("moved", 1), ("all", 4)):
        study.run(config=study_config(times=times), drift=[tmp_path / "run.parquet"], output=tmp_path / "study.parquet")
        found = DRIFT.read(tmp_path / "study.parquet")
        assert all(found[name].count() == shown for name in ("time", "extremum_step", "half", "half_low", "half_high"))
        assert found["time"][0] == 0.5 and found["magnitude"].count() == 4


def test_a_study_without_trained_runs_has_no_verdicts():
    assert study.verdicts(DRIFT.frame([]), study_config()).is_empty()


def test_a_drift_is_tested_over_the_prompts_that_were_scored_at_both_ends(tmp_path):
    levels = {f"p{i}": [(0.1 * (i % 3), 1 - 0.1 * (i % 3), 0.0)] for i in range(20)}
    later = {p: [(x + 0.5, y - 0.5, 0.0)] for p, [(x, y, _)] in levels.items()} | {"p0": [None]}
    drift = drift_of(tmp_path, stance_rows({0: levels, 5: later}))
    assert drift["prompts"].to_list() == [19] * 3 and drift["asked"].to_list() == [20] * 3
    support, neutral, oppose = drift["p"]
    assert max(support, neutral) < 1e-6 and oppose == 1
    assert drift["p_preserved"].to_list()[:2] == [1, 1]
    assert drift["q"].null_count() == drift["verdict"].null_count() == 3
