import pytest
from test_study_config import edited

from valuedrift.config.load import load_study_config
from valuedrift.config.reference import reference_page
from valuedrift.config.tables import DriftTable, SamplesTable
from valuedrift.errors import UserError

SAMPLES = {"kind": "samples", "category": "Race and Racism", "rows": {"Base": "mini/base", "SFT": {"Alpaca": "mini/alpaca"}}}
KINDS = "categories, contrast, downstream, drift, pairs, quality, samples, sensitivity, topics, value_texts"


def test_a_table_without_a_kind_is_a_drift_table():
    tables = load_study_config(edited("tables", {"t": {"columns": {"A": "mini/alpaca"}}, "s": SAMPLES})).tables
    assert isinstance(tables["t"], DriftTable) and isinstance(tables["s"], SamplesTable)
    assert tables["t"].runs() == {("A",): "mini/alpaca"}
    assert tables["s"].runs() == {("Base",): "mini/base", ("SFT", "Alpaca"): "mini/alpaca"}


@pytest.mark.parametrize("kind", ["categories", "topics", "value_texts"])
def test_a_table_that_shows_no_runs_names_none(kind):
    assert load_study_config(edited("tables", {"t": {"kind": kind}})).tables["t"].runs() == {}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"columns": {"A": "mini/alpaca"}, "colums": 1}, "unknown key `tables.t.colums`; did you mean `columns`?"),
        (SAMPLES | {"longst": 1}, "unknown key `tables.t.longst`; did you mean `longest`?"),
        (SAMPLES | {"columns": 1}, "unknown key `tables.t.columns`; known are: caption, category, kind, longest, prompt, rows"),
        ({"kind": "sample"}, "`tables.t.kind`: unknown kind `sample`; did you mean `samples`?"),
        ({"kind": "xyz"}, f"`tables.t.kind`: unknown kind `xyz`; known are: {KINDS}"),
        ({"kind": ["drift"]}, "`tables.t.kind`: unknown kind"),
        ({"kind": "samples", "rows": {"A": "mini/base"}}, "the key `tables.t.category` is missing"),
        ({}, "the key `tables.t.columns` is missing"),
        (SAMPLES | {"rows": {"A": 1}}, "`tables.t.rows.A`: Input should be a valid string"),
        (SAMPLES | {"longest": 0}, "`tables.t.longest`: Input should be greater than or equal to 1"),
        ({"kind": "pairs", "dataset": "synthetic", "categories": []}, "`tables.t.categories`: List should have at least 1 item"),
        (7, "`tables.t`: Input should be a valid dictionary"),
    ],
)
def test_a_mistake_in_a_table_ends_in_one_line_that_names_the_key(block, message):
    with pytest.raises(UserError) as error:
        load_study_config(edited("tables", {"t": block}))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_reference_has_a_section_for_each_kind():
    page = reference_page()
    for kind in KINDS.split(", "):
        assert f"## `tables.<name>` with `kind: {kind}`\n" in page
    section = page.split("with `kind: samples`\n")[1].split("\n## ")[0]
    assert "| `longest` | whole number | `600` |" in section and "| `columns` |" not in section
