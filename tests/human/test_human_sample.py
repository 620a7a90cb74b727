import csv
import json
import re
from collections import Counter

import pytest
from human_world import NASTY, SURE, draw, judged, plenty

from valuedrift.errors import UserError
from valuedrift.io.spreadsheets import unguarded


def strata(table):
    likeliest = [max(SURE, key=lambda stance, row=row: row[stance]) for row in table.iter_rows(named=True)]
    return Counter(zip(table["category"], likeliest, strict=True))


def test_the_sample_is_even_over_categories_and_stances(tmp_path):
    plenty(tmp_path, categories=("Race", "Work", "Death", "Love"))
    counts = strata(draw(tmp_path, ["run"], ["Race", "Work", "Death", "Love"], responses=50))
    assert sum(counts.values()) == 50 and len(counts) == 12
    assert set(counts.values()) == {4, 5}
    for place in (0, 1):
        margin = Counter()
        for stratum, count in counts.items():
            margin[stratum[place]] += count
        assert max(margin.values()) - min(margin.values()) <= 1


def test_the_categorys_other_stances_replace_a_short_stratum(tmp_path):
    rows = [("Race", "oppose", "the only one", "ok"), *(("Race", "support", f"s {n}", "ok") for n in range(30))]
    judged(tmp_path, "run", rows + [("Work", stance, f"{stance} {n}", "ok") for stance in SURE for n in range(10)])
    counts = strata(draw(tmp_path, ["run"], ["Race", "Work"], responses=24))
    assert (counts["Race", "oppose"], counts["Race", "support"]) == (1, 11)
    assert [counts["Work", stance] for stance in SURE] == [4, 4, 4]


def test_too_few_responses_are_all_drawn_with_a_message(tmp_path, capsys):
    plenty(tmp_path, each=2)
    assert draw(tmp_path, ["run"], ["Race", "Work"]).height == 12
    assert "only 12 of 100 responses" in capsys.readouterr().err


def test_unscored_responses_and_repeated_ones_are_not_drawn(tmp_path):
    rows = [("Race", "support", "same", "ok"), ("Race", None, "", "unscorable: empty response")]
    judged(tmp_path, "a", [*rows, ("Race", "oppose", "odd odd odd", "malformed: repeats itself")])
    judged(tmp_path, "b", [*rows, ("Race", "support", "same", "ok")])
    assert sorted(draw(tmp_path, ["a", "b"], ["Race"])["response"]) == ["odd odd odd", "same"]


def test_sample_and_order_depend_on_the_seed(tmp_path):
    plenty(tmp_path)
    one, again = (draw(tmp_path, ["run"], ["Race", "Work"], 30) for _ in range(2))
    other = draw(tmp_path, ["run"], ["Race", "Work"], 30, seed=1)
    assert one.equals(again) and set(one["response"]) != set(other["response"])
    assert not one["category"].is_sorted() and not set(one["id"]) & set(other["id"])


def test_sheet_and_page_hide_run_step_and_stance(tmp_path):
    plenty(tmp_path, run="secret-run")
    table = draw(tmp_path, ["secret-run"], ["Race", "Work"], 12)
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = table.select("id", "topic", "question", "response").to_dicts()
    assert rows == [row | {"label": ""} for row in shown]
    page = (tmp_path / "label.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["items"] == shown
    assert data["options"][0] == ["support", "The response supports the given topic of {topic}"]
    hidden = page.replace(json.dumps(shown), "")
    assert "0.15" not in hidden and all(re.fullmatch("[0-9a-f]{12}", one) for one in table["id"])


def test_the_sheet_holds_no_formula_and_gives_back_the_texts(tmp_path):
    texts = ["=cmd|' /C calc'!A0", "-1+cmd", "@SUM(A1)", "'=1", "plain"]
    judged(tmp_path, "run", [("Race", "support", text, "ok") for text in texts])
    table = draw(tmp_path, ["run"], ["Race"])
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [row["response"] for row in csv.DictReader(file)]
    assert sorted(cells) == sorted(["'=cmd|' /C calc'!A0", "'-1+cmd", "'@SUM(A1)", "''=1", "plain"])
    assert list(map(unguarded, cells)) == table["response"].to_list()


def test_a_response_cannot_end_the_script_or_become_markup(tmp_path):
    judged(tmp_path, "run", [("Race", "support", NASTY, "ok")])
    draw(tmp_path, ["run"], ["Race"])
    page = (tmp_path / "label.html").read_text()
    assert page.count("</script>") == 2 and "<b>bold" not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["items"][0]["response"] == NASTY


def test_the_page_loads_nothing_from_a_network(tmp_path):
    plenty(tmp_path)
    draw(tmp_path, ["run"], ["Race", "Work"], 6)
    page = (tmp_path / "label.html").read_text()
    assert "default-src 'none'" in page and not re.search(r"https?://|src=|@import|fetch\(", page)


def test_a_judge_without_scores_is_an_error(tmp_path):
    judged(tmp_path, "run", [("Race", None, "", "unscorable: empty response")])
    with pytest.raises(UserError, match="the judge j scored no response"):
        draw(tmp_path, ["run"], ["Race"])


def test_stances_without_their_responses_are_an_error(tmp_path):
    plenty(tmp_path, run="a")
    judged(tmp_path, "b", [("Race", "support", "x", "ok")])
    (tmp_path / "b" / "stances.parquet").write_bytes((tmp_path / "a" / "stances.parquet").read_bytes())
    with pytest.raises(UserError, match="120 stances of a lack their response"):
        draw(tmp_path, ["b"], ["Race", "Work"])
