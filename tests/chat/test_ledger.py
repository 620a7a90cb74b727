import os
import sqlite3
import subprocess
import sys

import pytest

from valuedrift.chat.ledger import Ledger, key_of
from valuedrift.errors import UserError


def test_answers_come_back_in_another_run(tmp_path):
    path = tmp_path / "new folder" / "answers.sqlite"
    with Ledger(path) as book:
        book.put({"a": {"text": "é 😀"}, "b": {"rejected": "no"}})
    with Ledger(path) as book:
        book.put({"c": {}})
        assert book.get(["a", "c", "a", "d"]) == {"a": {"text": "é 😀"}, "c": {}}


def test_a_key_is_all_of_the_question_and_nothing_else():
    assert key_of(a="x", b=None) == key_of(b=None, a="x")
    assert len({key_of(a="x", b="y"), key_of(a="y", b="x"), key_of(a="xy", b=""), key_of(a="x", b=None), key_of(a="x")}) == 5


def test_one_job_at_a_time(tmp_path):
    path = tmp_path / "answers.sqlite"
    with Ledger(path), pytest.raises(UserError, match=r"answers.sqlite is in use: wait until the other job"):
        Ledger(path)
    with Ledger(path) as book:
        assert book.get(["a"]) == {}


def test_a_file_that_is_no_ledger_is_named_and_left_alone(tmp_path):
    path = tmp_path / "answers.sqlite"
    path.write_text("my own notes, " * 100)
    with pytest.raises(UserError, match=r"answers.sqlite is not a ledger .*move it away"):
        Ledger(path)
    assert path.read_text().startswith("my own notes")


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read or written"):
        Ledger(tmp_path)


def test_answers_are_stored_together_or_not_at_all(tmp_path):
    with Ledger(tmp_path / "answers.sqlite") as book:
        with pytest.raises(UserError):
            book.put({"a": {}, None: {}})  # type: ignore[dict-item]
        book.put({"b": {}})
        assert book.get(["a", "b"]) == {"b": {}}


def test_a_full_disk_is_reported_and_what_was_stored_before_stays(tmp_path):
    path = tmp_path / "answers.sqlite"
    with Ledger(path) as book:
        book.put({"a": {"text": "kept"}})
        book._db.execute("PRAGMA max_page_count = 4")  # what SQLite then says is what it says of a full disk
        with pytest.raises(UserError, match=r"the disk is full on which .*answers.sqlite lies: make room, then run again"):
            book.put({f"b{number}": {"text": "x" * 4000} for number in range(9)})
        assert book.get(["a", "b0"]) == {"a": {"text": "kept"}}


LIMITED = """
import resource, sys
from pathlib import Path
from valuedrift.chat.ledger import Ledger
resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))
with Ledger(Path(sys.argv[1])) as book:
    for number in range(99):
        book.put({str(number): {"text": "x" * 999}})
        print(number, flush=True)
"""


def test_a_write_that_the_system_refuses_is_reported_and_loses_nothing_that_was_stored(tmp_path):
    path = tmp_path / "answers.sqlite"
    job = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        check=False, capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=":".join(sys.path)),
    )  # fmt: skip
    assert f"UserError: {path} cannot be read or written (" in job.stderr
    stored = job.stdout.split()
    with Ledger(path) as book:
        assert 1 < len(stored) == len(book.get(stored)) < 99


def test_tokens_are_summed_by_route_and_by_who_paid(tmp_path):
    with Ledger(tmp_path / "answers.sqlite") as book:
        book.put(
            {
                "a": {"usage": [5, 1]},
                "b": {"usage": [6, 2]},
                "c": {},
                "d": {"usage": [7, 3], "batch": True},
                "e": {"rejected": "no"},
                "f": {"usage": [8, 4], "by": ["talk", "é", None]},
            },
            wasted=[{"usage": [9, 5]}],
        )
        assert book.usage() == [
            (False, None, 3, 11, 3), (False, ["talk", "é", None], 1, 8, 4), (True, None, 1, 7, 3), (False, None, 1, 9, 5),
        ]  # fmt: skip


@pytest.mark.parametrize("damage", ["substr(answer, 1, 9)", "'[1]'", "'7'", "CAST(x'7b22ff' AS TEXT)"])
def test_an_answer_that_was_damaged_on_the_disk_is_none_and_the_others_are_read(tmp_path, damage):
    path = tmp_path / "answers.sqlite"
    with Ledger(path) as book:
        book.put({"a": {"usage": [5, 1]}, "b": {"usage": [6, 2]}}, wasted=[{"key": "a"}])
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE answers SET answer = {damage} WHERE key = 'a'")
        db.execute(f"UPDATE wasted SET answer = {damage}")
    with Ledger(path) as book:
        assert book.get(["a", "b"]) == {"b": {"usage": [6, 2]}} and book.paid_tries() == {}
        assert sum(used.asked for used in book.usage()) == 6
        book.put({"a": {"usage": [7, 3]}})
        assert sum(used.asked for used in book.usage()) == 13


def test_what_is_expected_of_batches_ends_when_its_answer_is_stored_and_older_notes_say_nothing_of_it(tmp_path):
    path = tmp_path / "answers.sqlite"
    with sqlite3.connect(path) as older:
        older.execute("CREATE TABLE under_way (key TEXT PRIMARY KEY, batch TEXT NOT NULL) WITHOUT ROWID")
        older.execute("INSERT INTO under_way VALUES ('old', 'batch_0')")
    with Ledger(path) as book:
        book.note_batch("batch_1", {"a": {"usage": [5, 1], "batch": True}, "b": {"usage": [6, 2.5], "batch": True}})
        book.put({"a": {}})
        assert book.expected() == [(False, None, 1, 0, 0), (True, None, 1, 6, 2.5)]
        assert book.batches_of_others({"b"}) == ["batch_0"]
        book.forget_batch(["old", "b"])
        assert (book.expected(), book.batches_of_others([])) == ([], [])
