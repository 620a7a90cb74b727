"""Drift magnitudes under other ways to count the responses."""

import numpy as np
import polars as pl
import pytest
from table_world import job_of
from test_position_bias import asked, some

from valuedrift.config.base import STANCES as SIDES
from valuedrift.config.drift import DriftConfig, DriftJob, ValuesConfig
from valuedrift.config.tables import ScoreRow
from valuedrift.drift.magnitude_and_time import magnitudes
from valuedrift.errors import UserError
from valuedrift.io.tables import ORDERS, STANCES
from valuedrift.report import sensitivity_table
from valuedrift.report.sensitivity import sensitivity, with_changes

NONE = dict.fromkeys((*SIDES, "mass"))


def row(step, prompt, sample, support, status="ok", **changes):
    """A row of STANCES; an unscorable response has no support."""
    shares = {"support": support, "neutral": 1 - support, "oppose": 0.0, "mass": 0.9} if support is not None else NONE
    return {"run": "m/x", "step": step, "prompt_id": f"p{prompt}", "category": "C", "sample": sample, "judge": "j", "status": status,
            "truncated": False, **shares, **changes}  # fmt: skip


def job(**changes):
    rows = [ScoreRow(headings=["SFT", "X"], runs=["m/x"])]
    return job_of("sensitivity", **{"rows": rows, "categories": ["C"]} | changes)


def counted(rows, **changes):
    """Variant → magnitude rounded to three digits, responses, changes."""
    found = sensitivity(STANCES.check(STANCES.frame(rows), "here"), job(**changes))
    return {
        v: (m if m is None else round(m, 3), n, said)
        for v, m, n, said in found.select("variant", "magnitude", "responses", "changes").iter_rows()
    }


def trajectory(seed, prompts=12):
    """STANCES of three checkpoints with every kind of response."""
    rng, rows = np.random.default_rng(seed), []
    for step in (0, 4, 9):
        for prompt in range(prompts):
            for sample in (0, 1, 2):
                kind = rng.choice(
                    ["ok", "refused: declines", "malformed: repeating", "unscorable: empty response"], p=[0.7, 0.1, 0.1, 0.1]
                )
                support = None if kind.startswith("unscorable") else float(rng.beta(1 + step / 4, 2))
                changes = {"truncated": bool(rng.random() < 0.2)} | ({"mass": float(rng.random())} if support is not None else {})
                rows.append(row(step, prompt, sample, support, kind, **changes))
    return rows


@pytest.mark.parametrize("stance", SIDES[:2])
def test_as_reported_is_what_drift_has(stance):
    stances = STANCES.frame(trajectory(1))
    drift = magnitudes(stances, DriftJob(values=ValuesConfig(), drift=DriftConfig(), seed=0)).filter(stance=stance)
    own = sensitivity(stances, job(stance=stance)).filter(variant="reported")
    names = ("magnitude", "magnitude_low", "magnitude_high", "prompts")
    assert own.select("magnitude", "low", "high", "prompts").row(0) == pytest.approx(drift.select(names).row(0), abs=1e-12)


def test_each_way_counts_what_it_says():
    first = [row(0, p, n, 0.2) for p in range(4) for n in (0, 1)]
    last = [row(9, p, n, 0.6) for p in range(4) for n in (0, 1)]
    last[0] = row(9, 0, 0, 1.0, "refused: declines")
    last[2] = row(9, 1, 0, 1.0, "malformed: repeating")
    last[4] = row(9, 2, 0, None, "unscorable: empty response", truncated=True)
    last[6] = row(9, 3, 0, 0.1, mass=0.3, truncated=True)
    found = counted([*first, row(4, 0, 0, 0.9), *last])
    means = (0.8, 0.8, 0.6, 0.35)  # of the last checkpoint's prompts
    assert found["reported"][:2] == (round(np.mean(means) - 0.2, 3), 15)
    assert found["unflagged"][:2] == (round(np.mean([0.6, 0.6, 0.6, 0.35]) - 0.2, 3), 13)
    assert found["refusals"][:2] == (round(np.mean([0.3, 0.8, 0.6, 0.35]) - 0.2, 3), 15)
    assert found["lowest"][:2] == (round(np.mean([0.8, 0.8, 0.3, 0.35]) - 0.2, 3), 16)
    assert found["highest"][:2] == (round(np.mean([0.8, 0.8, 0.8, 0.35]) - 0.2, 3), 16)
    assert found["whole"][:2] == (round(np.mean([0.8, 0.8, 0.6, 0.6]) - 0.2, 3), 14)
    assert found["massive"][:2] == (round(np.mean([0.8, 0.8, 0.6, 0.6]) - 0.2, 3), 14)
    assert counted([*first, *last], min_mass=0.2)["massive"] == found["reported"]


def test_the_bounds_hold_whatever_the_unscorable_ones_are():
    rows, rng = trajectory(3), np.random.default_rng(0)
    found = counted(rows)
    for _ in range(20):
        filled = [
            r if r["support"] is not None else row(r["step"], int(r["prompt_id"][1:]), r["sample"], float(rng.integers(2)))
            for r in rows
        ]
        assert found["lowest"][0] <= counted(filled)["reported"][0] <= found["highest"][0]


@pytest.mark.parametrize(
    ("reported", "other", "said"),
    [
        ((0.2, 0.1, 0.3), (0.1, 0.05, 0.2), ""),
        ((0.2, 0.1, 0.3), (0.1, -0.1, 0.2), "lost"),
        ((0.2, 0.1, 0.3), (-0.1, -0.2, 0.05), "sign lost"),
        ((0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), "sign lost"),
        ((0.2, 0.1, 0.3), (None, None, None), "lost"),
        ((0.1, -0.1, 0.3), (0.2, 0.1, 0.3), "gained"),
        ((0.1, -0.1, 0.3), (-0.1, -0.3, 0.1), "sign"),
        ((None, None, None), (None, None, None), ""),
    ],
)
def test_what_a_way_changes(reported, other, said):
    names = ["variant", "magnitude", "low", "high"]
    rows = pl.DataFrame(
        [("reported", *reported), ("unflagged", *other)],
        schema=dict.fromkeys(names, pl.Float64) | {"variant": pl.String},
        orient="row",
    )
    found = with_changes(rows.with_columns(run=pl.lit("m/x"), category=pl.lit("C")))
    assert found["changes"].to_list() == ["", said]
    assert with_changes(rows.with_columns(run=pl.lit("m/x"), category=pl.lit("C")), ("unflagged",))["changes"].to_list() == ["", ""]


def test_bounds_are_clear_only_together():
    rows = [("reported", 0.1, -0.1, 0.3), ("lowest", -0.1, -0.3, 0.1), ("highest", 0.3, 0.1, 0.5)]
    frame = pl.DataFrame(rows, schema=["variant", "magnitude", "low", "high"], orient="row").with_columns(
        run=pl.lit("m/x"), category=pl.lit("C")
    )
    assert with_changes(frame)["changes"].to_list() == ["", "sign", "sign"]
    wide = frame.with_columns(low=pl.Series([0.05, 0.01, 0.1]), magnitude=pl.Series([0.2, 0.1, 0.3]))
    assert with_changes(wide)["changes"].to_list() == ["", "", ""]
    assert with_changes(wide.with_columns(low=pl.Series([-0.05, 0.01, 0.1])))["changes"].to_list() == ["", "gained", "gained"]


@pytest.fixture
def out(tmp_path):
    return {name: tmp_path / f"t.{name}" for name in ("csv", "markdown", "latex")}


def test_the_table_says_in_a_sentence_what_depends_on_the_counting(tmp_path, out):
    """Support rises from .1 to .9, but half of the last answers are refusals, and all are cut in an older table that does not say so."""
    rows = [row(0, p, n, 0.1, truncated=None) for p in range(20) for n in (0, 1)]
    rows += [row(9, p, n, 0.6 if n else 0.2, "ok" if n else "refused: declines", truncated=None) for p in range(20) for n in (0, 1)]
    rows += [r | {"category": "D", "prompt_id": f"d{r['prompt_id']}", "support": 0.5, "neutral": 0.5} for r in rows]
    STANCES.write(STANCES.frame(rows), tmp_path / "s.parquet")
    ORDERS.write(asked(some(60), 0.3), tmp_path / "o.parquet")
    config = job(categories=["C", "D"], caption="Does it depend?", min_mass=0.95)
    sensitivity_table.run(config=config, stances=[tmp_path / "s.parquet"], orders=tmp_path / "o.parquet", **out)
    lines = out["markdown"].read_text().splitlines()
    assert "As<br>reported" in lines[2] and "Mass below<br>0.95 left out" in lines[2]
    assert lines[4] == "| SFT, X | C | 0.30 (80) | 0.50 (60) | 0.20 (80) | 0.30 (80) | – | –? |"
    assert lines[5].startswith("|  | D | 0.00 (80) | 0.00 (60) | -0.25+ (80) |")
    assert "1 of 2 magnitudes of support have an interval without 0 as reported; 1 of these change their sign or get an interval with 0: 1 without those of a mass below 0.95. 1 of the 1 others get an interval without 0" in lines[-1]  # fmt: skip
    assert "on 60 responses from both ends of all runs the mean probability of support in the order asked is +0.20" in lines[-1]
    table = sensitivity_table.layout(pl.read_csv(out["csv"], infer_schema=False).fill_null("").to_dicts())
    assert table.blocks[0].rows[0][1].small[0].startswith("[.2") and "95% intervals" in table.note


def test_each_seed_has_a_block_and_a_run_without_stances_is_the_users_error(tmp_path, out):
    for seed in (0, 1):
        rows = [r | {"run": f"m/x{seed}"} for r in trajectory(seed)]
        STANCES.write(STANCES.frame(rows), tmp_path / f"{seed}.parquet")
    config = job(rows=[ScoreRow(headings=["X"], runs=["m/x0", "m/x1"])])
    sensitivity_table.run(config=config, stances=[tmp_path / "0.parquet", tmp_path / "1.parquet"], **out)
    assert [line.split(" | ")[0] for line in out["markdown"].read_text().splitlines()[4:6]] == ["| X (m/x0)", "| X (m/x1)"]
    with pytest.raises(UserError, match="the run `m/x1` has no stances"):
        sensitivity_table.run(config=config, stances=[tmp_path / "0.parquet"], **out)


def test_a_run_with_one_checkpoint_has_no_magnitudes(tmp_path, out):
    STANCES.write(STANCES.frame([r for r in trajectory(0) if r["step"] == 9]), tmp_path / "s.parquet")
    sensitivity_table.run(config=job(), stances=[tmp_path / "s.parquet"], **out)
    assert out["markdown"].read_text().splitlines()[4] == "| SFT, X | C |" + " – |" * 6
