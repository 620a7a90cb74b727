import csv

import polars as pl
import pytest

from valuedrift.io.spreadsheets import guarded, read_csv, unguarded, write_csv

FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+1+cmd", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "'=1", "''=1"]
TEXTS = ["", "plain", "'Tis", "''", "a=b", " =1", "x\n=1", "−1"]  # a minus sign begins no formula
NUMBERS = ["-1", "+1", "-0.5", "-.5", "-1e-7", "+12%"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_that_is_undone(text):
    assert guarded(text) == f"'{text}" and unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", TEXTS + NUMBERS)
def test_other_texts_and_numbers_stay_as_they_are(text):
    assert guarded(text) == text and unguarded(text) == text


def test_a_csv_guards_names_and_texts_and_gives_them_back(tmp_path):
    frame = pl.DataFrame({"=name": [*FORMULAS, *TEXTS], "number": [-1.5] * len(FORMULAS + TEXTS), 'a "b"': None})
    write_csv(frame, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    assert names == ["'=name", "number", 'a "b"']
    assert {row[1] for row in rows} == {"-1.5"}
    assert not [row[0] for row in rows if row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    read = read_csv(tmp_path / "a.csv")
    assert read.columns == frame.columns and read["=name"].to_list() == frame["=name"].to_list()
