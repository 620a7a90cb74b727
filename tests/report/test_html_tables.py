"""The samples of responses, and the tables that only the report has."""

import random

import polars as pl
import pytest
from report_world import BASE, CATEGORIES, PO, SFT

from valuedrift.errors import UserError
from valuedrift.io.tables import PROMPTS
from valuedrift.report.html_tables import MAX_ROWS, curation_tables, data_table, file_table, mean_drift_table, runs_table
from valuedrift.report.samples import choose_prompts, read_responses, samples


def test_the_draw_of_prompts_needs_only_the_seed(world):
    prompts = PROMPTS.read(world.prompts)
    chosen = choose_prompts(prompts, CATEGORIES, 13, 0)
    assert set(chosen["category"][:11]) == set(CATEGORIES)  # each category before any comes twice
    assert chosen["prompt_id"].n_unique() == 13
    shuffled = prompts.sample(fraction=1, shuffle=True, seed=random.Random(1).randint(0, 99))
    assert choose_prompts(shuffled, CATEGORIES, 13, 0).equals(chosen)
    assert choose_prompts(prompts, CATEGORIES, 13, 1)["prompt_id"].to_list() != chosen["prompt_id"].to_list()
    assert choose_prompts(prompts, CATEGORIES[:1], 99, 0)["category"].to_list() == CATEGORIES[:1] * 4


def test_a_run_with_its_own_step_0_starts_there():
    prompts = PROMPTS.frame([dict.fromkeys(PROMPTS.columns, "x") | {"prompt_id": p} for p in ("p", "q")])
    responses = pl.DataFrame(
        [("m/base", 0, "p", "b"), ("m/a", 0, "p", "a0"), ("m/a", 9, "p", "a9"), ("m/c", 5, "p", "c5"), ("m/c", 9, "p", "c9")],
        schema=["run", "step", "prompt_id", "response"], orient="row",
    )  # fmt: skip
    found = samples(prompts, responses, {"m/a": "m/base", "m/c": "m/gone", "m/d": "m/base"}, ["m/base", "m/a", "m/c", "m/d"])
    assert {run: [s.answers for s in shown] for run, shown in found.items()} == {
        "m/base": [[("step 0", "b")], [("step 0", None)]],
        "m/a": [[("step 0", "a0"), ("step 9", "a9")], [("step 0", None), ("step 9", None)]],
        "m/c": [[("step 5", "c5"), ("step 9", "c9")], [("step 5", None), ("step 9", None)]],
    }


def test_only_the_responses_shown_are_kept(world):
    found = read_responses(world.generations, ["p000", "p007"])
    assert len(found) == 2 * (1 + 2 * (len(SFT) + len(PO)))  # the base model has one checkpoint, others a first and a last
    assert read_responses([], ["p000"]).is_empty()


def cells(table):
    return [[cell.text for cell in row] for block in table.blocks for row in block.rows]


def test_appendices_from_csv_and_parquet(tmp_path):
    text = "id,share,count,name,empty\n007,-0.00004,1200,1.10a,\n008,1e-1,3,x,\n"
    (tmp_path / "a.csv").write_text(text)
    table = file_table(tmp_path / "a.csv")
    assert cells(table) == [["007", "0.000", "1200", "1.10a", "–"], ["008", "0.100", "3", "x", "–"]]
    assert [column.numeric for column in table.columns] == [True] * 3 + [False] * 2
    frame = pl.DataFrame({"x": [1.23456, None], "n": [1, 2], "s": ["a", None], "l": [[1], []], "b": [True, False]})
    frame.write_parquet(tmp_path / "a.parquet")
    table = file_table(tmp_path / "a.parquet")
    assert cells(table) == [["1.235", "1", "a", "[1]", "True"], ["–", "2", "–", "[]", "False"]]
    assert [column.numeric for column in table.columns] == [True] * 2 + [False] * 3


def test_a_long_appendix_says_what_it_leaves_out(tmp_path):
    pl.DataFrame({"n": range(MAX_ROWS + 1)}).write_csv(tmp_path / "a.csv")
    table = file_table(tmp_path / "a.csv")
    assert len(cells(table)) == MAX_ROWS
    assert table.note.startswith(f"The first {MAX_ROWS} of {MAX_ROWS + 1} rows")


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", None), ("a.csv", ""), ("a.parquet", "no"), ("a.txt", "x"), ("a.csv", "a,b\n1,2,3\n")]
)
def test_an_appendix_that_cannot_be_read_is_the_users_error(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"the appendix .*{name}"):
        file_table(tmp_path / name)


def test_every_row_has_a_cell_for_each_column():
    table = runs_table([BASE], {}, {})
    assert 1 + sum(width for _, width in table.spans()[0]) == len(table.columns) == len(cells(table)[0])
    means = pl.DataFrame(
        {"run": ["r"], "support": [0.1], "neutral": [None], "oppose": [-0.001], "size": [0.08], "time": [0.5], "moved": [4], "preserved": [0],
         "undecided": [29]}
    )  # fmt: skip
    table = mean_drift_table(means)
    assert cells(table) == [["r", "0.10", "–", "0.00", "0.08", "0.50", "4", "0", "29"]]
    assert table.spans() == [[("drift magnitude", 3), ("", 2), ("stances of categories", 3)]]


def test_curation_of_one_kind_makes_one_table(world):
    curation = pl.read_parquet(world.curation)
    assert [table.own_headings for table in curation_tables(curation.filter(pl.col("category") == "all"))] == [["step", "prompts"]]
    holes = cells(curation_tables(curation.filter((pl.col("step") != "drawn") | (pl.col("category") == "Race and Racism")))[1])
    assert ["Race and Racism", "120", "50"] in holes and ["Work and Attitudes", "120", "–"] in holes


def test_the_papers_counts_are_printed_next_to_the_studys(tmp_path):
    (tmp_path / "wildchat.counts.json").write_text('{"read": 40, "train": 27, "validation": 3}')
    (tmp_path / "alpaca.counts.json").write_text('{"read": 9, "train": 8, "validation": 1}')
    paths = [tmp_path / "wildchat.counts.json", tmp_path / "alpaca.counts.json"]
    table = data_table(paths, {"wildchat": {"train": 28, "validation": 3}})
    assert table.own_headings[-2:] == ["paper's train", "paper's validation"]
    assert [row[-2:] for row in cells(table)] == [["28", "3"], ["–", "–"]]
    assert "paper's train" not in data_table(paths, {}).own_headings
