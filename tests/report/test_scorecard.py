import csv
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from report_world import drift_row

from valuedrift.config.scorecard import ReferenceRun, ScorecardConfig, ScorecardJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM, DRIFT
from valuedrift.report import scorecard
from valuedrift.report.scorecard_axis import axis_table, directed
from valuedrift.report.scorecard_printed import decided_table, mean_size, means_table, verdicts
from valuedrift.report.scorecard_stats import agreement, judged, reach
from valuedrift.stats.shares import Pairs, difference_limits

DRIFT_HEADER = "table,model,sft_dataset,phase,preference_dataset,chosen,category,metric,stance,value"
SCORE_HEADER = "table,model,sft_dataset,phase,preference_dataset,chosen,benchmark,metric,shots,value,stderr"
SFT = ReferenceRun(runs=["m/sft"], drift="m/sft", model="big", sft_dataset="alpaca", phase="sft")
PRINTED = {"support": "0.30", "neutral": "-0.30", "oppose": "0.00"}


def row(run="m/sft", stance="support", magnitude=0.25, half=0.1, time=0.2, category="Race", judge="j", verdict="moved"):
    interval = {"magnitude_low": magnitude - half, "magnitude_high": magnitude + half} if half is not None else {}
    return drift_row(run, category, stance, magnitude, time, judge) | interval | {"verdict": verdict}


def score(run, value, stderr=0.03, task="quiz", shots=5):
    return {"run": run, "task": task, "metric": "acc", "shots": shots, "value": value, "stderr": stderr, "n": 100}


def make(folder, drift=(), scores=(), runs=(SFT,), printed=None, printed_scores=None, faults=None):
    """The scorecard's CSV as rows, and its page."""
    paths = {"drift": None, "downstream": None, "faults": None}
    for name, header, lines in (
        ("drift", DRIFT_HEADER, printed),
        ("downstream", SCORE_HEADER, printed_scores),
        ("faults", None, faults),
    ):
        if lines is not None:
            paths[name] = str(folder / f"{name}.csv")
            (folder / f"{name}.csv").write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    DRIFT.write(DRIFT.frame(list(drift)), folder / "drift.parquet")
    DOWNSTREAM.write(DOWNSTREAM.frame(list(scores)), folder / "scores.parquet")
    scorecard.run(
        config=ScorecardJob(**paths, judge="j", runs=list(runs)), drift=folder / "drift.parquet",
        downstream=[folder / "scores.parquet"], csv=folder / "card.csv", html=folder / "card.html",
    )  # fmt: skip
    with (folder / "card.csv").open() as file:
        return list(csv.DictReader(file)), (folder / "card.html").read_text()


def printed(metric="magnitude", category="Race", table=9, run="big,alpaca,sft,,", values=PRINTED):
    return [f"{table},{run},{category},{metric},{stance},{value}" for stance, value in values.items()]


def test_a_cell_holds_the_papers_value_ours_and_the_difference(tmp_path):
    (cell, *_), page = make(tmp_path, [row()], printed=printed())
    assert (cell["table"], cell["model"], cell["category"], cell["stance"]) == ("9", "big", "Race", "support")
    numbers = [float(cell[name]) for name in ("paper", "ours", "low", "high", "difference")]
    assert numbers == pytest.approx([0.3, 0.25, 0.15, 0.35, -0.05])
    assert (cell["seeds"], cell["status"], cell["flag"]) == ("1", "compared", "")
    # 50 prompts here and there: 0.1 √2, and a little for the two decimals.
    assert "paper 0.30; ours 0.25 (0.15 to 0.35); difference -0.05; agrees from 0.11 to 0.39" in page
    assert (cell["verdict"], cell["direction"]) == ("agrees", "")


def test_a_cell_without_a_run_is_not_run_and_one_without_a_value_not_measured(tmp_path):
    cells, page = make(
        tmp_path, [row(), row(stance="neutral", judge="other")], printed=printed() + printed(run="big,wildchat,sft,,")
    )
    assert [cell["status"] for cell in cells] == ["compared", "not measured", "not measured", *["not run"] * 3]
    assert all(cell[name] == "" for cell in cells[1:] for name in ("ours", "low", "high", "difference", "verdict"))
    assert "6 cells, of which 1 compared, 0 not moved, 2 not measured, 3 not run; 0 are flagged" in page


def test_without_any_run_the_whole_paper_is_not_run(tmp_path):
    cells, page = make(tmp_path, runs=[], printed=printed(), printed_scores=["17,big,,base,,,quiz,acc,5,0.5,0.05"])
    assert {cell["status"] for cell in cells} == {"not run"}
    assert statistics(page)["Table 9", "magnitude"][:3] == ["3", "0", "0"]
    assert set(statistics(page)["Table 9", "magnitude"][3:7]) == {"–"}


def test_a_run_with_several_seeds_is_compared_by_the_drift_over_them_and_by_its_mean_score(tmp_path):
    seeds = SFT.model_copy(update={"runs": ["m/sft-0", "m/sft-1"], "drift": "m/sft-seeds"})
    rows = [
        row("m/sft-0", magnitude=0.9),
        row("m/sft-1", magnitude=0.9),
        row("m/sft-seeds", magnitude=0.3, half=0.2) | {"seeds": 2},
    ]
    scores = [score("m/sft-0", 0.5), score("m/sft-1", 0.7)]
    lines = ["17,big,alpaca,sft,,,quiz,acc,5,0.50,0.04"]
    (cell, *_, quiz), _ = make(tmp_path, rows, scores, runs=[seeds], printed=printed(), printed_scores=lines)
    assert [float(cell[name]) for name in ("ours", "low", "high")] == pytest.approx([0.3, 0.1, 0.5])
    assert (cell["seeds"], quiz["seeds"]) == ("2", "2") and float(quiz["ours"]) == pytest.approx(0.6)


def test_a_score_is_compared_within_both_standard_errors_and_at_the_same_shots(tmp_path):
    base = ReferenceRun(runs=["m/base"], drift="m/base", model="big", phase="base")
    lines = ["17,big,,base,,,quiz,acc,5,0.50,0.04", "17,big,,base,,,other,acc,5,0.50,0.04"]
    scores = [score("m/base", 0.6), score("m/base", 0.6, task="other", shots=0)]
    (quiz, other), _ = make(tmp_path, scores=scores, runs=[base], printed_scores=lines)
    half = 1.96 * 0.05  # sqrt(0.03² + 0.04²)
    assert [float(quiz[name]) for name in ("agrees_low", "agrees_high")] == pytest.approx([0.6 - half, 0.6 + half])
    assert float(quiz["low"]) == pytest.approx(0.6 - 1.96 * 0.03)
    assert (quiz["status"], quiz["verdict"], other["status"]) == ("compared", "differs", "not measured")
    (unsure, _), _ = make(tmp_path, scores=[score("m/base", 0.6, stderr=None)], runs=[base], printed_scores=lines)
    assert (unsure["status"], unsure["low"], unsure["verdict"]) == ("compared", "", "")


def frame(*cells, metric="magnitude", prompts=50, **changes):
    """Judged cells of (paper, ours), with an interval of ±0.1 about ours, that moved."""
    place = {"table": "9", "model": "big", "sft_dataset": "alpaca", "phase": "dpo", "preference_dataset": "synthetic", "chosen": "support",
             "benchmark": "", "stance": "support"}  # fmt: skip
    rows = [
        place | {"category": f"c{n}", "metric": metric, "status": "compared", "paper": p, "ours": o, "low": o - 0.1, "high": o + 0.1,
                 "stderr": None, "paper_stderr": None, "prompts": prompts, "moved": True} | changes
        for n, (p, o) in enumerate(cells)
    ]  # fmt: skip
    types = {"stderr": pl.Float64, "paper_stderr": pl.Float64, "low": pl.Float64, "high": pl.Float64, "chosen": pl.String}
    return pl.DataFrame(rows, schema_overrides=types)


def test_statistics_by_hand():
    found = agreement(judged(frame((0.3, 0.22), (-0.3, -0.5), (0.15, -0.1), (0.0, -0.4), (0.2, 0.25)), 50))
    assert found.compared == 5
    assert found.sign == 0.75  # what is printed as 0.00 has not moved; 0.15 against -0.1 differs
    assert found.difference == pytest.approx((0.08 + 0.2 + 0.25 + 0.4 + 0.05) / 5)
    assert found.within == 2 / 5  # the first and the last: 0.1 √2 is 0.14
    assert found.chance == pytest.approx((3 + 0 + 1 + 1 + 3) / 25)  # of the printed 0.3, -0.3, 0.15, 0 and 0.2
    assert found.error == pytest.approx((2 * 0.1**2 + 0.005**2) ** 0.5)
    assert found.rank == pytest.approx(1 - 6 * 2 / (5 * 24))  # ranks 5 1 3 2 4 and 4 1 3 2 5


@pytest.mark.parametrize("cells", [[(0.3, 0.2), (-0.3, -0.5)], []])
def test_statistics_of_fewer_than_three_cells_are_none(cells):
    found = agreement(judged(frame(*cells) if cells else frame((0, 0)).clear(), 50))
    assert (found.sign, found.rank, found.difference, found.within, found.chance, found.error) == (None,) * 6


def test_ranks_of_equal_values_are_none_while_the_others_exist():
    found = agreement(judged(frame((0.3, 0.1), (0.3, 0.2), (0.3, 0.3)), 50))
    assert found.rank is None and found.sign == 1.0 and found.difference == pytest.approx(0.1)


def test_flags_name_their_reason_and_leave_the_sound_statistics(tmp_path):
    categories = ("Race", "Work", "Abortion")
    drift = [row(stance=s, magnitude=float(v), category=c) for c in categories for s, v in PRINTED.items()]
    drift[0]["magnitude"] = -0.9
    lines = [line for c in categories for line in printed(category=c)]
    faults = ["table,category,stance,reason", '9,Race|Nothing,support,"A, false one."', "9,Race,,All three.", ",Nowhere,,Idle."]
    cells, page = make(tmp_path, drift, printed=lines, faults=faults)
    assert [cell["flag"] for cell in cells] == ["A, false one. All three.", "All three.", "All three.", *[""] * 6]
    line = statistics(page)["Table 9", "magnitude"]
    assert line[:4] == ["9", "9", "3", "83.3%"]  # five of six magnitudes that moved
    assert line[9:11] == ["6", "100.0%"]
    assert re.findall(r'<li id="fault-\d">(.*?)</li>', page) == ["A, false one.", "All three."]
    assert "1: A, false one.\n2: All three." in unescape(page)
    assert "1 of the rules flags no cell" in page


def test_verdicts():
    found = judged(frame((0.3, 0.2), (0.3, 0.1), (0.05, -0.05), (0.0, -0.1), (0.1, -0.1)), 50)["verdict"]
    assert found.to_list() == ["agrees", "differs", "undecided", "agrees", "differs"]
    assert judged(frame((0.3, 0.3), status="not run"), 50)["verdict"].to_list() == [""]
    fewer = judged(frame((0.3, 0.1), prompts=10), 50)["verdict"].to_list()  # theirs is 2.5 times as exact, ours not
    assert fewer == ["differs"] and judged(frame((0.3, 0.1), prompts=200), 50)["verdict"].to_list() == ["agrees"]


def test_times_are_compared_where_both_moved_and_agree_if_few_of_the_table_would():
    cells = [(0.1, 0.12), (0.9, 0.4), (0.5, 0.5), (0.7, 0.7), (0.6, 0.6)]
    times = frame(*cells, metric="time", low=None, high=None)
    found = judged(pl.concat([times, frame(*[(0.3, 0.3)] * 4, (0.05, 0.3))]), 50).head(5)
    assert found["status"].to_list() == [*["compared"] * 4, "not moved"]  # a magnitude of 0.05 is within what 50 prompts leave open
    assert found["verdict"].to_list() == ["agrees", "differs", "agrees", "agrees", ""]
    assert found["chance"].to_list()[:4] == [1 / 4, 1 / 4, 1 / 4, 1 / 4]
    early = judged(pl.concat([frame(*[(0.1, 0.12)] * 4, metric="time", low=None, high=None), frame(*[(0.3, 0.3)] * 4)]), 50)
    assert early["verdict"].to_list()[:4] == ["undecided"] * 4  # any of them would


def test_an_exact_repetition_agrees_in_about_19_of_20_cells():
    """Two studies of 50 prompts with 5 responses; by the first one's interval alone 84% agree."""
    rng, draws = np.random.default_rng(0), 3000
    found = []
    for _ in range(2):
        own = rng.beta(1.5, 3.5, (2, draws, 50, 1))
        own[1] = 0.5 * own[0] + 0.5 * own[1]
        found.append((rng.random((2, draws, 50, 5)) < own).mean(3))
    (a, b), (c, d) = found
    ours, printed, limits = (b - a).mean(1), np.round((d - c).mean(1), 2), difference_limits(Pairs.of(a, b), 0.025)
    below, above = reach(ours - limits.low, limits.high - ours, np.full(draws, 50.0), 50)
    assert 0.94 < ((ours - below <= printed) & (printed <= ours + above)).mean() < 0.97
    assert ((limits.low <= printed) & (printed <= limits.high)).mean() < 0.87


def test_the_judged_topic_moves_towards_the_trained_side_or_away():
    cells = pl.concat([
        frame((0.3, 0.3), (-0.3, 0.3), (0.05, -0.3)), frame((0.3, -0.3), (-0.3, -0.3), chosen="oppose"),
        frame((0.3, 0.3), moved=False, table="10"), frame((0.3, 0.3), chosen="", phase="sft"), frame((0.3, 0.3), stance="neutral"),
    ])  # fmt: skip
    found = directed(judged(cells, 50))
    assert found["direction_paper"].to_list() == ["towards", "away", "undecided", "away", "towards", "towards", "", ""]
    assert found["direction"].to_list() == ["towards", "towards", "away", "towards", "towards", "undecided", "", ""]
    first, *_ = [[cell.text for cell in line] for line in axis_table(found).blocks[0].rows]
    assert first == ["c0", *"200", *"101", *"010", *"100"]  # support trained: the paper's, ours; oppose trained


def test_what_printed_magnitudes_decide():
    moved, preserved = verdicts(np.array([0.2, -0.2, 0.0, 0.04]), 0.03)
    assert moved.tolist() == [True, True, False, False] and preserved.tolist() == [False, False, True, False]
    table = decided_table(judged(frame((0.2, 0), (0.0, 0)), 50))
    assert [[cell.text for cell in line] for line in table.blocks[0].rows] == [
        [name, "2", "1", "1", "0", "1", "0", "1", "1", "0", "1"] for name in ("all", "DPO")
    ]


def test_sizes_are_about_0_where_nothing_drifts():
    values = np.random.default_rng(0).normal(0, 0.05, 4000)
    rows = pl.DataFrame({"paper": values, "paper_stderr": np.full(4000, 0.05)})
    assert rows["paper"].abs().mean() > 0.035 and abs(mean_size(rows, "paper", "paper_stderr")) < 0.002
    assert mean_size(rows.with_columns(paper=pl.col("paper") + 0.5), "paper", "paper_stderr") == pytest.approx(0.46, abs=0.003)
    cells = judged(frame((0.3, 0.2), (-0.3, 0.2)), 50)
    run = ("big", "alpaca", "dpo", "synthetic", "support")
    floor = (2 / np.pi) ** 0.5 * 0.1 / 2.0096  # t of 49
    assert [cell.text for cell in means_table(cells, {run: "x"}).blocks[0].rows[0]] == [
        "x", "0.00", "0.20", *["–"] * 4, f"{0.3 - floor:.2f}", f"{0.2 - floor:.2f}"
    ]  # fmt: skip


class Tables(HTMLParser):
    """Rows of cells of every table, and that each tag is closed in its order."""

    def __init__(self):
        super().__init__()
        self.open, self.tables = [], []

    def handle_starttag(self, tag, attrs):
        if tag in ("meta", "br", "link"):
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append(["", int(dict(attrs).get("colspan", 1))])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1][0] += data


def tables_of(page):
    parser = Tables()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser.tables


def statistics(page):
    """(table, metric) → the numbers of its line."""
    return {
        (table, metric): numbers
        for (table, metric, *numbers) in ([text.strip() for text, _ in line] for line in tables_of(page)[0][2:])
    }


def test_tables_are_laid_out_as_printed(tmp_path):
    """Columns nest by what changes least often; every row is as wide as its table; tables stand in the order of their numbers."""
    runs = [f"big,alpaca,{phase},synthetic,{chosen}" for chosen in ("oppose", "support") for phase in ("ppo", "dpo")]
    lines = [
        line for run in runs for metric in ("magnitude", "time") for c in ("Race", "Work") for line in printed(metric, c, 13, run)
    ]
    scores = [
        f"17,big,{where},{b},acc,5,0.5123,0.01"
        for where in (",base,,", "alpaca,sft,,", "alpaca,ppo,synthetic,support")
        for b in ("quiz", "other")
    ]
    _, page = make(tmp_path, runs=[], printed=lines + printed(table=2), printed_scores=scores)
    *_, first, drift, downstream = tables_of(page)
    assert len(first[0]) == 4  # one run: no level above the stances
    assert [[text for text, _ in line] for line in drift[:2]] == [
        ["", "oppose chosen", "support chosen"],
        ["", "PPO", "DPO", "PPO", "DPO"],
    ]
    assert [width for _, width in drift[0]] == [1, 6, 6] and [width for _, width in drift[1]] == [1, 3, 3, 3, 3]
    assert [line[0][0] for line in drift[3:]] == ["drift magnitude", "Race", "Work", "drift time", "Race", "Work"]
    assert [line[0][0] for line in downstream[3:]] == ["base", "alpaca SFT", "alpaca PPO synthetic support chosen"]
    for table in (first, drift, downstream):
        assert len({sum(width for _, width in line) for line in table}) == 1
    assert "0.5123" in page


def test_the_page_is_one_file_and_equal_for_equal_inputs(tmp_path):
    _, page = make(tmp_path, [row()], printed=printed(category="<b>Race</b>"))
    assert "http" not in page and "<b>Race" not in page
    assert make(tmp_path, [row()], printed=printed(category="<b>Race</b>"))[1] == page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"printed": ["9,big"]}, "cannot be read|lacks|is not a number"),
        ({"printed": printed(values={"support": "0,3"})}, "cannot be read|not a number"),
        ({"printed": printed(values={"support": "high"})}, "the value 'high' is not a number"),
        ({"printed": printed() + printed()}, "two rows are the same cell"),
        ({"printed": printed(), "faults": ["table,topic,reason", "9,Race,Why"]}, "unknown columns topic"),
        ({"printed": printed(), "faults": ["table", "9"]}, "lacks the columns reason"),
    ],
)
def test_broken_files_end_in_one_line(tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as error:
        make(tmp_path, **changes)
    assert str(tmp_path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    DRIFT.write(DRIFT.frame([]), tmp_path / "d.parquet")
    job = ScorecardJob(drift=str(tmp_path / "none.csv"), downstream=None, faults=None, judge="j", runs=[])
    with pytest.raises(UserError, match=r"none.csv cannot be read"):
        scorecard.run(config=job, drift=tmp_path / "d.parquet", downstream=[], csv=tmp_path / "c.csv", html=tmp_path / "c.html")


def test_one_run_of_the_paper_has_one_block_of_seeds():
    with pytest.raises(ValidationError, match="2 runs stand for the paper's big/alpaca/sft"):
        ScorecardJob(drift=None, downstream=None, faults=None, judge="j", runs=[SFT, SFT])


def test_a_scorecard_compares_with_something():
    with pytest.raises(ValidationError, match="give `drift` or `downstream`"):
        ScorecardConfig(faults="faults.csv")
