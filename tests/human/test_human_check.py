import csv
import re
from html import unescape

import polars as pl
import pytest
from human_world import CHECK, NASTY, SURE, draw, judged, plenty

from valuedrift.errors import UserError
from valuedrift.human import check

OTHER = {"support": "neutral", "neutral": "oppose", "oppose": "support"}


@pytest.fixture
def drawn(tmp_path):
    """Draw twelve responses in two categories; return id → the judge's label."""
    plenty(tmp_path, each=2)
    table = draw(tmp_path, ["run"], ["Race", "Work"], 12)
    return {row["id"]: max(SURE, key=lambda stance, row=row: row[stance]) for row in table.iter_rows(named=True)}


def labelled(folder, name, labels, file="labels"):
    path = folder / f"{file}-{len(name)}{name[0].strip('<')}.csv"
    path.write_text("\n".join(["id,label,labeller", *(f'{one},{label},"{name}"' for one, label in labels.items())]) + "\n")
    return path


def compare(folder, *paths):
    check.run(config=CHECK, sample=folder / "sample.parquet", labels=list(paths), csv=folder / "a.csv", page=folder / "a.html")
    return pl.read_csv(folder / "a.csv"), unescape((folder / "a.html").read_text())


def number(table, rater, statistic, category="all", **says):
    return table.filter(rater=rater, statistic=statistic, category=category, **says).to_dicts()[0]


def test_statistics_of_one_person_as_computed_by_hand(tmp_path, drawn):
    ids = list(drawn)
    labels = drawn | {one: OTHER[drawn[one]] for one in ids[:3]}
    table, page = compare(tmp_path, labelled(tmp_path, "anna", labels))
    found = number(table, "anna", "accuracy")
    assert (found["value"], found["responses"], found["count"]) == (0.75, 12, 9)
    assert (found["low"], found["high"]) == pytest.approx((0.4677, 0.9111), abs=5e-4)  # Wilson's for 9 of 12
    given = [SURE[drawn[one]][list(SURE).index(label)] for one, label in labels.items()]
    assert number(table, "anna", "mean_probability")["value"] == pytest.approx(sum(given) / 12)
    counts = {
        (r["person_says"], r["judge_says"]): r["count"] for r in table.filter(statistic="confusion", category="all").to_dicts()
    }
    assert sum(counts.values()) == 12 and sum(counts[s, s] for s in SURE) == 9
    assert counts["neutral", "support"] == sum(drawn[one] == "support" for one in ids[:3])
    assert "label\nof anna to 75% (47% to 91%) of\n12 responses" in page
    assert number(table, "people", "krippendorff_alpha")["note"] == "nothing to compare"


def test_several_people_have_a_majority_and_its_ties(tmp_path, drawn):
    ids = list(drawn)
    ben = drawn | {ids[0]: OTHER[drawn[ids[0]]], ids[1]: OTHER[drawn[ids[1]]]}
    cleo = {one: drawn[one] for one in ids[1:]}
    table, page = compare(
        tmp_path, labelled(tmp_path, "anna", drawn), labelled(tmp_path, "ben", ben), labelled(tmp_path, "cleo", cleo)
    )
    assert number(table, "majority", "ties")["count"] == 1  # anna against ben on the first, which cleo left out
    found = number(table, "majority", "accuracy")
    assert (found["value"], found["responses"]) == (1.0, 11)
    assert number(table, "cleo", "accuracy")["responses"] == 11
    alone, together = (number(table, group, "krippendorff_alpha") for group in ("people", "people and judge"))
    assert alone["responses"] == together["responses"] == 12 and alone["value"] < together["value"] < 1
    assert "without a majority, because of ties: 1" in page
    assert "2 responses to which somebody gave another label" in page


def test_categories_follow_the_whole_and_add_up_to_it(tmp_path, drawn):
    labels = drawn | {one: OTHER[drawn[one]] for one in list(drawn)[:5]}
    table, page = compare(tmp_path, labelled(tmp_path, "anna", labels))
    parts = [number(table, "anna", "accuracy", category) for category in ("Race", "Work")]
    assert [part["responses"] for part in parts] == [6, 6] and sum(part["count"] for part in parts) == 7
    assert table["category"].unique(maintain_order=True).to_list() == ["all", "Race", "Work"]
    assert '<th scope="row">Race</th>' in page


def test_no_number_is_nan_and_a_missing_one_has_a_reason(tmp_path, drawn):
    one = next(iter(drawn))
    table, page = compare(tmp_path, labelled(tmp_path, "anna", {one: drawn[one]}), labelled(tmp_path, "ben", {one: drawn[one]}))
    assert table.filter(pl.col("value").is_nan() | pl.col("low").is_nan()).is_empty()
    assert table.filter(pl.col("value").is_null() & pl.col("note").is_null() & (pl.col("statistic") != "ties")).is_empty()
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_the_sheet_filled_in_by_hand_is_read(tmp_path, drawn):
    with (tmp_path / "sheet.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[3]["label"] = "Support "
    with (tmp_path / "dora.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    table, _ = compare(tmp_path, tmp_path / "dora.csv")
    assert number(table, "dora", "accuracy")["responses"] == 1


def test_semicolons_of_a_spreadsheet_are_read(tmp_path, drawn):
    path = tmp_path / "eve.csv"
    path.write_text("id;label\r\n" + "".join(f"{one};{label}\r\n" for one, label in drawn.items()), encoding="utf-8-sig")
    table, _ = compare(tmp_path, path)
    assert number(table, "eve", "accuracy")["value"] == 1.0


def test_a_response_cannot_become_markup(tmp_path):
    judged(tmp_path, "run", [("Race", "support", NASTY, "ok")])
    one = draw(tmp_path, ["run"], ["Race"])["id"][0]
    compare(tmp_path, labelled(tmp_path, "<i>anna</i>", {one: "oppose"}))
    page = (tmp_path / "a.html").read_text()
    assert "&lt;/script&gt;" in page and "<script" not in page and "<i>" not in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nffff,support\n", "line 2: the sample has no response with the id 'ffff'"),
        ("id,label\n{0},support\n{0},oppose\n", "line 3: {0} already has a label, on line 2"),
        ("id,label\n{0},yes\n", "line 2: 'yes' is not a label; write support, neutral or oppose, or nothing"),
        ("id,label,labeller\n{0},support,a\n{1},support,b\n", "line 3: the labels above are a's, this one is b's"),
        ("id,label\n{0},\n", "has no label"),
        ("", "lacks the column id and label"),
        ("id,stance\n{0},support\n", "lacks the column label"),
        ("id,label,labeller\n{0},support,majority\n", "a labeller cannot be called majority"),
    ],
)
def test_invalid_labels_are_an_error_with_file_and_line(tmp_path, drawn, text, message):
    path = tmp_path / "f.csv"
    one, other = list(drawn)[:2]
    path.write_text(text.replace("{0}", one).replace("{1}", other))
    with pytest.raises(UserError, match=re.escape(message.replace("{0}", one))) as raised:
        compare(tmp_path, path)
    assert str(path) in str(raised.value)


def test_missing_binary_and_repeated_files_are_an_error(tmp_path, drawn):
    with pytest.raises(UserError, match=r"none\.csv is missing"):
        compare(tmp_path, tmp_path / "none.csv")
    (tmp_path / "f.csv").write_bytes(b"id,label\n\xff\xfe\n")
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        compare(tmp_path, tmp_path / "f.csv")
    twice = [labelled(tmp_path, "anna", drawn), labelled(tmp_path, "anna", drawn, file="again")]
    with pytest.raises(UserError, match="are both labels of anna"):
        compare(tmp_path, *twice)
    with pytest.raises(UserError, match=r"`human.labels` is empty"):
        compare(tmp_path)


def test_a_name_like_a_formula_is_read_as_it_was_and_written_guarded(tmp_path, drawn):
    table, page = compare(tmp_path, labelled(tmp_path, "'=Anna", drawn))
    assert "'=Anna" in set(table["rater"]) and "=Anna" in page and "'=Anna" not in page
