import polars as pl
import pytest

from valuedrift.errors import UserError
from valuedrift.io.tables import QUESTIONS, STANCES, replacing

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
def test_what_is_no_such_table_is_neither_written_nor_read(tmp_path, frame, message):
    path = tmp_path / "q.parquet"
    with pytest.raises(UserError, match=message):
        QUESTIONS.write(frame, path)
    assert list(tmp_path.iterdir()) == []
    frame.write_parquet(path)
    with pytest.raises(UserError, match=message):
        QUESTIONS.read(path)


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        STANCES.read(tmp_path / "no.parquet")


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
