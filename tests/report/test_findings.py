import polars as pl
from report_world import drift_row

from valuedrift.config.figures import StyleConfig
from valuedrift.config.report import VerdictsJob
from valuedrift.io.tables import DRIFT
from valuedrift.report import page, verdicts
from valuedrift.report.findings import findings

ALGORITHMS = {"m/sft": "SFT", "m/sft/dpo": "DPO", "m/sft/ppo": "PPO"}


def row(run, stance, magnitude, verdict, judge="a", half=0.1):
    ends = {"magnitude_low": magnitude - half, "magnitude_high": magnitude + half, "verdict": verdict}
    return drift_row(run, "Race and Racism", stance, magnitude, 0.5, judge) | ends


def drifts(*rows):
    return DRIFT.frame(list(rows))


STUDY = drifts(
    row("m/sft", "support", 0.3, "moved"), row("m/sft", "neutral", -0.41, "moved"), row("m/sft", "oppose", 0.11, "undecided"),
    row("m/sft/dpo", "support", 0.0, "preserved"), row("m/sft/dpo", "neutral", 0.1, "undecided", half=0.3),
    row("m/sft/ppo", "support", -0.2, "moved"), row("m/sft", "support", 0.9, "moved", judge="b"),
)  # fmt: skip


def test_the_sentences_count_what_moved_is_preserved_and_is_undecided():
    said = findings(STUDY, "a", ALGORITHMS, 0.05)
    assert said[0].startswith("Of 6 drifts (3 runs, 1 category, three stances) 3 moved, 1 is preserved within ±0.05, and of 2 the")
    assert said[1] == "SFT moved 2 of 3, DPO moved 0 of 2, PPO moved 1 of 1."
    assert (
        said[2]
        == "The largest is that of neutral on Race and Racism in m/sft: -0.41 (interval -0.51 to -0.31); chosen as the largest, it is likely somewhat too large."
    )
    assert said[3].startswith("In m/sft/dpo nothing is shown to have moved, which does not show")
    assert "±0.20 in the median, from 50 prompts each" in said[4]


def test_nothing_is_claimed_where_nothing_moved_or_nothing_was_trained():
    said = findings(drifts(row("m/sft", "support", 0.3, "undecided")), "a", ALGORITHMS, 0.05)
    assert said[1] == "No drift is shown to differ from 0 after the correction for all of them." and len(said) == 3
    assert findings(drifts(), "a", {}, 0.05) == []
    assert findings(drifts(drift_row("m/sft", "x", "support", None, None, "a")), "a", {}, 0.05) == []


def test_drifts_of_one_prompt_may_have_no_interval():
    bare = row("m/sft", "support", 0.3, "undecided") | {"magnitude_low": None, "magnitude_high": None, "prompts": 1}  # as t has it
    assert len(findings(drifts(bare), "a", ALGORITHMS, 0.05)) == 2
    few = row("m/sft", "oppose", 0.1, "undecided") | {"prompts": 1}
    assert "±0.10 in the median, from 1 prompt each" in findings(drifts(bare, few), "a", ALGORITHMS, 0.05)[2]


def test_the_picture_shows_each_verdict_in_its_square(tmp_path):
    job = VerdictsJob(judge="a", categories=["Race and Racism"], runs=["m/sft", "m/sft/dpo", "m/sft/ppo"], style=StyleConfig())
    panels = verdicts.draw(job, STUDY).axes
    said = [[text.get_text() for text in ax.texts] for ax in panels]
    assert said == [["+30", "=", "-20"], ["-41", ""], [""]]
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == job.runs
    DRIFT.write(STUDY, tmp_path / "drift.parquet")
    files = [(tmp_path / f"{n}.pdf", tmp_path / f"{n}.png") for n in range(2)]
    for pdf, png in files:
        verdicts.run(config=job, drift=tmp_path / "drift.parquet", pdf=pdf, png=png)
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_the_report_opens_with_the_findings(world, tmp_path):
    told = DRIFT.read(world.drift).with_columns(verdict=pl.lit("undecided").cast(DRIFT.columns["verdict"]))
    DRIFT.write(
        told.with_columns(magnitude_low=pl.col("magnitude"), magnitude_high=pl.col("magnitude")), tmp_path / "drift.parquet"
    )
    page.run(config=world.report(), **world.inputs(drift=tmp_path / "drift.parquet"), output=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    opening = text.index("Of 264 drifts (8 runs, 11 categories, three stances) 0 moved")
    assert text.index('id="findings"') < opening < text.index('id="reading"')
