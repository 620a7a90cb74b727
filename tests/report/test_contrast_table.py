"""The printed table of a contrast."""

import pytest
from report_world import CATEGORIES
from table_world import contrast, job_of

from valuedrift.errors import UserError
from valuedrift.io.tables import CONTRASTS
from valuedrift.report import contrast_table
from valuedrift.report.table_files import read

PAIRS = ["PPO, support less oppose", "DPO, support less oppose"]


@pytest.fixture
def out(tmp_path):
    return {name: tmp_path / f"t.{name}" for name in ("csv", "markdown", "latex")}


def written(tmp_path, out, **changes):
    contrast_table.run(config=job_of("contrast", **changes), contrast=contrast(tmp_path / "c.parquet"), **out)
    return out["markdown"].read_text().splitlines()


def test_a_row_has_the_differences_of_each_pair_with_marks_and_intervals(tmp_path, out):
    lines = written(tmp_path, out)
    heads = " | ".join(f"{pair} {stance}" for pair in PAIRS for stance in ("support", "neutral", "oppose"))
    cells = " | ".join([r"0.25\* \[.12, .38\] | 0.00= \[-.12, .12\] | -0.25 \[-.38, -.12\]"] * 2)
    assert lines[:5] == [
        "Table: Contrast.",
        "",
        f"| Category | {heads} |",
        f"| :--- |{' ---: |' * 6}",
        f"| {CATEGORIES[0]} | {cells} |",
    ]
    assert lines[4 + len(CATEGORIES)] == "" and lines[-1].startswith("Second less first")


def test_markdown_and_latex_have_intervals_by_choice_and_the_report_always(tmp_path, out):
    assert not any("[" in line for line in written(tmp_path, out, interval="html"))
    assert r"0.25\* |" in written(tmp_path, out, interval="none")[4]
    shown = read(out["csv"], contrast_table.layout)
    assert shown.blocks[0].rows[0][1].small == ("[.12, .38]",)
    assert shown.note == (
        "Second less first, paired by prompt. * different: the difference is not 0 (q ≤ 0.05, Benjamini and Hochberg's correction for "
        "all 66 differences of this contrast). = equivalent: a difference of 0.05 or more is ruled out (p ≤ 0.05). No mark: undecided. In "
        "brackets: 95% intervals."
    )


def test_the_csv_is_the_contrast_at_full_precision(tmp_path, out):
    written(tmp_path, out)
    rows = out["csv"].read_text().splitlines()
    assert rows[0].split(",")[: len(CONTRASTS.columns)] == list(CONTRASTS.columns) and len(rows) == 1 + 66
    out["csv"].write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is not a table of its kind"):
        read(out["csv"], contrast_table.layout)


def test_what_was_not_measured_is_a_dash(tmp_path, out):
    rows = [
        {"pair": "A", "category": "C", "stance": stance, "prompts": 0, "seeds": 1} for stance in ("support", "neutral", "oppose")
    ]
    CONTRASTS.write(CONTRASTS.frame(rows), tmp_path / "c.parquet")
    contrast_table.run(config=job_of("contrast"), contrast=tmp_path / "c.parquet", **out)
    assert "| C | – | – | – |" in out["markdown"].read_text().splitlines()
