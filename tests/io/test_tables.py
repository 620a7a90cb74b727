from pathlib import Path

import polars as pl
import pytest

from valuedrift.config.drift import ValuesConfig, ValuesJob
from valuedrift.drift import values
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.tables import QUESTIONS, STANCES, VALUES

OLDER = Path(__file__).with_name("stances_of_an_older_version.parquet")
"""Written by the version before `bound`, `flips` and `truncated` were added to the table: two steps, three prompts, two samples."""

ROW = {"source_id": "1", "source_text": "a", "question": "a?"}


def test_a_table_survives_its_file(tmp_path):
    QUESTIONS.write(QUESTIONS.frame([ROW]), tmp_path / "new" / "q.parquet")
    assert QUESTIONS.read(tmp_path / "new" / "q.parquet").to_dicts() == [ROW]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"source_id": ["1"]}), "lacks the columns source_text, question"),
        (QUESTIONS.frame([ROW, ROW]), "rows repeat a key"),
        (QUESTIONS.frame([{**ROW, "question": None}]), "question has nulls"),
        (QUESTIONS.frame([ROW]).with_columns(question=pl.lit(1)), "question is Int32, not String"),
    ],
)
def test_a_table_that_breaks_its_declaration_is_neither_written_nor_read(tmp_path, frame, message):
    path = tmp_path / "q.parquet"
    with pytest.raises(UserError, match=message):
        QUESTIONS.write(frame, path)
    assert list(tmp_path.iterdir()) == []
    frame.write_parquet(path)
    with pytest.raises(UserError, match=message):
        QUESTIONS.read(path)


def test_a_missing_table_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"no.parquet is missing. Make it with `snakemake \S+/no.parquet --profile"):
        STANCES.read(tmp_path / "no.parquet")


def test_a_table_of_an_older_version_is_read_and_its_values_are_computed(tmp_path):
    older, read = pl.read_parquet(OLDER), STANCES.read(OLDER)
    assert {"bound", "flips", "truncated"} == set(read.columns) - set(older.columns)
    assert read.select(older.columns).equals(older)
    assert all(read[name].null_count() == read.height == 12 for name in ("bound", "flips", "truncated"))
    values.run(config=ValuesJob(values=ValuesConfig(), seed=0), stances=[OLDER], output=tmp_path / "values.parquet")
    found = VALUES.read(tmp_path / "values.parquet")
    assert found["bound"].null_count() == found["truncated"].null_count() == found.height == 12 and found["mean"].null_count() == 0


def test_an_older_table_without_a_column_that_every_row_needs_names_the_command_that_makes_it_again(tmp_path):
    path = tmp_path / "values.parquet"
    values.run(config=ValuesJob(values=ValuesConfig(), seed=0), stances=[OLDER], output=path)
    pl.read_parquet(path).drop("refused", "bound").write_parquet(path)
    with pytest.raises(
        UserError, match=r"lacks the columns refused of a values table.*make it again with `snakemake \S+ --force --prof"
    ):
        VALUES.read(path)


def test_a_failed_write_leaves_the_old_file_and_no_scratch(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "model"
    for name in ("one", "two"):
        with replacing(folder) as scratch:
            scratch.mkdir()
            (scratch / name).touch()
    assert [path.name for path in folder.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [folder]
