import csv
import re
from html import unescape
from html.parser import HTMLParser

import polars as pl
import pytest
from pydantic import ValidationError
from report_world import drift_row

from valuedrift.config.scorecard import ReferenceRun, ScorecardConfig, ScorecardJob
from valuedrift.errors import UserError
from valuedrift.io.tables import DOWNSTREAM, DRIFT
from valuedrift.report import scorecard
from valuedrift.report.scorecard_page import verdict
from valuedrift.report.scorecard_stats import agreement

DRIFT_HEADER = "table,model,sft_dataset,phase,preference_dataset,chosen,category,metric,stance,value"
SCORE_HEADER = "table,model,sft_dataset,phase,preference_dataset,chosen,benchmark,metric,shots,value,stderr"
SFT = ReferenceRun(runs=["m/sft"], model="big", sft_dataset="alpaca", phase="sft")
PRINTED = {"support": "0.30", "neutral": "-0.30", "oppose": "0.00"}


def row(run="m/sft", stance="support", magnitude=0.25, half=0.1, time=0.2, category="Race", judge="j"):
    interval = {"magnitude_low": magnitude - half, "magnitude_high": magnitude + half} if half is not None else {}
    return drift_row(run, category, stance, magnitude, time, judge) | interval


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
    assert "paper 0.30; ours 0.25 (0.15 to 0.35); difference -0.05" in page


def test_a_cell_without_a_run_is_not_run_and_one_without_a_value_not_measured(tmp_path):
    cells, page = make(
        tmp_path, [row(), row(stance="neutral", judge="other")], printed=printed() + printed(run="big,wildchat,sft,,")
    )
    assert [cell["status"] for cell in cells] == ["compared", "not measured", "not measured", *["not run"] * 3]
    assert all(cell[name] == "" for cell in cells[1:] for name in ("ours", "low", "high", "difference"))
    assert "6 cells, of which 1 compared, 2 not measured, 3 not run; 0 are flagged" in page


def test_without_any_run_the_whole_paper_is_not_run(tmp_path):
    cells, page = make(tmp_path, runs=[], printed=printed(), printed_scores=["17,big,,base,,,quiz,acc,5,0.5,0.05"])
    assert {cell["status"] for cell in cells} == {"not run"}
    assert statistics(page)["Table 9", "magnitude"][:3] == ["3", "0", "0"]
    assert set(statistics(page)["Table 9", "magnitude"][3:7]) == {"–"}


def test_seeds_are_averaged_and_so_are_the_ends_of_their_intervals(tmp_path):
    seeds = SFT.model_copy(update={"runs": ["m/sft-0", "m/sft-1", "m/sft-2"]})
    rows = [
        row("m/sft-0", magnitude=0.2, half=0.1, time=0.2),
        row("m/sft-1", magnitude=0.4, half=0.3, time=0.4),
        row("m/sft-2", magnitude=None, half=None, time=None),
    ]
    (cell, *_), _ = make(tmp_path, rows, runs=[seeds], printed=printed())
    assert [float(cell[name]) for name in ("ours", "low", "high")] == pytest.approx([0.3, 0.1, 0.5])
    assert cell["seeds"] == "2"
    (time, *_), _ = make(tmp_path, rows, runs=[seeds], printed=printed("time"))
    assert float(time["ours"]) == pytest.approx(0.3) and (time["low"], time["high"]) == ("", "")


def test_a_score_is_compared_within_both_standard_errors_and_at_the_same_shots(tmp_path):
    base = ReferenceRun(runs=["m/base"], model="big", phase="base")
    lines = ["17,big,,base,,,quiz,acc,5,0.50,0.04", "17,big,,base,,,other,acc,5,0.50,0.04"]
    scores = [score("m/base", 0.6), score("m/base", 0.6, task="other", shots=0)]
    (quiz, other), _ = make(tmp_path, scores=scores, runs=[base], printed_scores=lines)
    half = 1.96 * 0.05  # sqrt(0.03² + 0.04²)
    assert [float(quiz[name]) for name in ("low", "high")] == pytest.approx([0.6 - half, 0.6 + half])
    assert (quiz["status"], other["status"]) == ("compared", "not measured")
    (unsure, _), _ = make(tmp_path, scores=[score("m/base", 0.6, stderr=None)], runs=[base], printed_scores=lines)
    assert (unsure["status"], unsure["low"]) == ("compared", "")


def frame(*cells):
    """Cells of (paper, ours), with an interval of ±0.1 about ours."""
    rows = [
        {"metric": "magnitude", "status": "compared", "paper": p, "ours": o, "difference": o - p, "low": o - 0.1, "high": o + 0.1}
        for p, o in cells
    ]
    return pl.DataFrame(rows)


def test_statistics_by_hand():
    found = agreement(frame((0.3, 0.22), (-0.3, -0.5), (0.1, -0.1), (0.0, -0.4), (0.2, 0.25)))
    assert found.compared == 5
    assert found.sign == 0.75  # the 0.00 has no sign; 0.1 against -0.1 differs
    assert found.difference == pytest.approx((0.08 + 0.2 + 0.2 + 0.4 + 0.05) / 5)
    assert found.inside == 2 / 5  # the first and the last
    assert found.rank == pytest.approx(1 - 6 * 2 / (5 * 24))  # ranks 5 1 3 2 4 and 4 1 3 2 5


@pytest.mark.parametrize("cells", [[(0.3, 0.2), (-0.3, -0.5)], []])
def test_statistics_of_fewer_than_three_cells_are_none(cells):
    found = agreement(frame(*cells) if cells else frame((0, 0)).clear())
    assert (found.sign, found.rank, found.difference, found.inside) == (None,) * 4


def test_ranks_of_equal_values_are_none_while_the_others_exist():
    found = agreement(frame((0.3, 0.1), (0.3, 0.2), (0.3, 0.3)))
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
    assert line[:4] == ["9", "9", "3", "83.3%"]  # five of six magnitudes with a sign
    assert line[7:9] == ["6", "100.0%"]
    assert re.findall(r'<li id="fault-\d">(.*?)</li>', page) == ["A, false one.", "All three."]
    assert "1: A, false one.\n2: All three." in unescape(page)
    assert "1 of the rules flags no cell" in page


def test_verdicts():
    def cell(metric, paper, ours, half=None, status="compared"):
        bounds = {"low": None, "high": None} if half is None else {"low": ours - half, "high": ours + half}
        return {"metric": metric, "status": status, "paper": paper, "ours": ours, "difference": ours - paper, **bounds}

    assert verdict(cell("magnitude", 0.3, 0.25, 0.1)) == "agrees"
    assert verdict(cell("magnitude", 0.3, 0.1, 0.1)) == "near"
    assert verdict(cell("magnitude", 0.3, -0.1, 0.1)) == "differs"
    assert verdict(cell("magnitude", 0.0, -0.5, 0.1)) == "near"
    assert [verdict(cell("time", 0.2, t)) for t in (0.3, 0.5, 0.6)] == ["agrees", "near", "differs"]
    assert [verdict(cell("acc", 0.5, v, 0.01)) for v in (0.505, 0.54, 0.6)] == ["agrees", "near", "differs"]
    assert verdict(cell("magnitude", 0.3, 0.3, 0.1, "not run")) == "none"


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
    _, first, drift, downstream = tables_of(page)
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
