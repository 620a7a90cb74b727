"""Contrasts of stances whose differences are known."""

import numpy as np
import polars as pl
import pytest

from valuedrift.config.drift import ContrastJob, ContrastPair, Side, ValuesConfig
from valuedrift.drift import contrast
from valuedrift.errors import UserError
from valuedrift.io.tables import CONTRASTS, STANCES

STEPS = (0, 5, 10)


def write(path, run, shares, judge="j", category="C", prompts=40, unscorable=(), seed=0):
    """Write STANCES of a run of two responses to each prompt, whose support has these shares at `STEPS`; `unscorable` are prompts."""
    drawn = np.random.default_rng(seed).random((prompts, 2))  # the same at all steps, as with the same seeds
    rows = []
    for step, share in zip(STEPS, shares, strict=True):
        for prompt in range(prompts):
            for sample in range(2):
                support = float(drawn[prompt, sample] < share)
                scored = {"support": support, "neutral": 1 - support, "oppose": 0.0, "mass": 1.0, "status": "ok"}
                lost = dict.fromkeys(("support", "neutral", "oppose", "mass")) | {"status": "unscorable: empty response"}
                rows.append({"run": run, "step": step, "prompt_id": f"p{prompt:02d}", "category": category, "sample": sample, "judge": judge,
                             **(lost if prompt in unscorable else scored)})  # fmt: skip
    STANCES.write(STANCES.frame(rows), path)
    return path


def job(*pairs, **changes):
    """Pairs are (heading, first run, second run) by the judge j."""
    made = [ContrastPair(heading=h, first=[Side(run=a, judge="j")], second=[Side(run=b, judge="j")]) for h, a, b in pairs]
    fields = {
        "pairs": made,
        "of": "value",
        "categories": ["C"],
        "values": ValuesConfig(),
        "margin": 0.05,
        "correction": "bh",
        "seed": 0,
    }
    return ContrastJob(**(fields | changes))


def found(config, *stances, folder):
    contrast.run(config=config, stances=list(stances), output=folder / "contrast.parquet")
    return CONTRASTS.read(folder / "contrast.parquet")


@pytest.fixture
def runs(tmp_path):
    shares = {"a": (0.2, 0.3, 0.2), "b": (0.2, 0.9, 0.8), "c": (0.8, 0.1, 0.2)}
    return {run: write(tmp_path / f"{run}.parquet", run, shares[run]) for run in shares}


def test_values_of_the_last_checkpoints_are_paired_by_prompt(runs, tmp_path):
    rows = found(job(("b less a", "a", "b"), ("c less a", "a", "c")), *runs.values(), folder=tmp_path)
    assert rows.select("pair", "stance").rows()[:2] == [("b less a", "support"), ("b less a", "neutral")] and rows.height == 6
    support = rows.row(0, named=True)
    assert support["difference"] == pytest.approx(support["second"] - support["first"]) == pytest.approx(0.6, abs=0.1)
    assert support["low"] > 0.4 and support["prompts"] == 40 and support["verdict"] == "different"
    same = rows.row(3, named=True)  # the same responses with the same seeds
    assert same["difference"] == 0 and same["p"] == 1 and same["verdict"] == "equivalent"


def test_drifts_of_runs_with_different_starts_are_compared(runs, tmp_path):
    rows = found(job(("c less b", "b", "c"), ("b less b", "b", "b"), of="drift"), *runs.values(), folder=tmp_path)
    support = rows.row(0, named=True)
    assert support["first"] == pytest.approx(0.6, abs=0.1) and support["second"] == pytest.approx(-0.6, abs=0.1)
    assert support["difference"] == pytest.approx(-1.2, abs=0.15) and support["high"] < -0.8 and support["verdict"] == "different"


def test_q_is_corrected_for_all_cells_of_the_contrast(runs, tmp_path):
    few = found(job(("b less a", "a", "b"), categories=["C"]), *runs.values(), folder=tmp_path)
    many = found(
        job(*((f"b less a {n}", "a", "b") for n in range(3)), ("c less a", "a", "c"), correction="holm"),
        *runs.values(),
        folder=tmp_path,
    )
    assert few["p"][0] == many["p"][0] < few["q"][0] < many["q"][0]


def test_a_prompt_that_one_side_has_no_score_of_is_left_out_of_both(tmp_path):
    config = job(("judges", "a", "a")).model_copy(update={
        "pairs": [ContrastPair(heading="k less j", first=[Side(run="a", judge="j")], second=[Side(run="a", judge="k")])]})  # fmt: skip
    j = write(tmp_path / "j.parquet", "a", (0.2, 0.2, 0.5), unscorable=[0, 1])
    k = write(tmp_path / "k.parquet", "a", (0.2, 0.2, 0.5), judge="k", unscorable=[1, 2, 3])
    rows = found(config, j, k, folder=tmp_path)
    assert set(rows["prompts"]) == {36} and set(rows["difference"]) == {0.0}
    none = write(tmp_path / "none.parquet", "a", (0.2, 0.2, 0.5), judge="k", unscorable=range(40))
    rows = found(config, j, none, folder=tmp_path)
    assert (
        set(rows["prompts"]) == {0}
        and rows.select(pl.exclude("pair", "category", "stance", "prompts", "seeds")).null_count().row(0) == (3,) * 9
    )


def test_the_kind_of_the_interval_is_that_of_the_values(runs, tmp_path):
    both = [
        found(job(("b less a", "a", "b"), of=of, values=ValuesConfig(interval="t")), *runs.values(), folder=tmp_path)
        for of in ("value", "drift")
    ]
    for rows in both:
        middle = (rows["low"] + rows["high"]) / 2
        assert middle.to_list() == pytest.approx(rows["difference"].to_list())


def test_a_side_without_stances_is_named(runs, tmp_path):
    with pytest.raises(UserError, match="the contrast's `b less a` has no stances of the run `b` by the judge `j`"):
        found(job(("b less a", "a", "b")), runs["a"], folder=tmp_path)


def test_over_several_seeds_the_interval_takes_in_what_the_trainings_differ(tmp_path):
    def shares(run, seed):
        return (0.2, 0.2, 0.5 if run == "a" else (0.6, 0.8, 0.9)[seed])

    def name(run, seed):
        return f"{run}-seed{seed}" if seed else run

    files = [
        write(tmp_path / f"{name(run, seed)}.parquet", name(run, seed), shares(run, seed)) for run in "ab" for seed in range(3)
    ]
    found_ = {}
    for seeds in (1, 3):
        sides = [[Side(run=name(run, seed), judge="j") for seed in range(seeds)] for run in "ab"]
        pair = ContrastPair(heading="b less a", first=sides[0], second=sides[1])
        for of in ("value", "drift"):
            rows = found(job(pairs=[pair], of=of), *files, folder=tmp_path)
            found_[seeds, of] = rows.row(0, named=True)
    for of in ("value", "drift"):
        one, three = found_[1, of], found_[3, of]
        assert (one["seeds"], three["seeds"]) == (1, 3)
        assert three["difference"] == pytest.approx(0.8 - 0.23 - 0.3, abs=0.1)
        assert three["high"] - three["low"] > 2 * (one["high"] - one["low"])  # t with two degrees of freedom


def test_a_category_without_a_prompt_that_both_sides_have_has_rows_that_say_so(runs, tmp_path):
    other = write(tmp_path / "other.parquet", "d", (0.2, 0.3, 0.2), category="D")
    rows = found(job(("d less a", "a", "d"), ("b less a", "a", "b"), categories=["D", "C"]), *runs.values(), other, folder=tmp_path)
    assert rows["category"].to_list() == (["D"] * 3 + ["C"] * 3) * 2 and rows["prompts"].to_list() == [0] * 9 + [40] * 3
    assert rows["difference"].null_count() == rows["verdict"].null_count() == 9
