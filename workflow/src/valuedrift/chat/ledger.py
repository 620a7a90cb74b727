"""The ledger: a file of answers by the key of their question, which outlives the job that asked."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from valuedrift.errors import UserError

Answer = dict[str, Any]
"""A server's answer to one question, as JSON."""

_OPEN = "under_way WHERE NOT EXISTS (SELECT 1 FROM answers WHERE answers.key = under_way.key)"
"""Questions whose answers are not fetched from their batch. A job that is killed after it stored answers, and before it removed the
notes of their batch, leaves notes of answered questions."""


def key_of(**question: str | float | None) -> str:
    """Return the key of a question: a hash of everything that its answer depends on."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


class Usage(NamedTuple):
    """Tokens of the answers that came by one route, batch or live, and were paid for by one chat."""

    batch: bool
    by: list[str | None] | None
    """Chat, model and revision; None in answers that older versions stored."""
    calls: int
    asked: float
    """Tokens of the questions."""
    answered: float


def usage(db: sqlite3.Connection, table: str = "answers", column: str = "answer") -> list[Usage]:
    """Return the usage of a ledger's answers, by route and chat. Older versions stored negative tokens as some server said them."""
    found = db.execute(
        f"""SELECT json_extract({column}, '$.batch') IS NOT NULL, json_extract({column}, '$.by'), count(*),
        coalesce(sum(max(0, json_extract({column}, '$.usage[0]'))), 0),
        coalesce(sum(max(0, json_extract({column}, '$.usage[1]'))), 0)
        FROM (SELECT * FROM {table}) WHERE ({column} IS NULL OR json_valid({column}))
        AND json_extract({column}, '$.rejected') IS NULL AND json_extract({column}, '$.unusable') IS NULL GROUP BY 1, 2"""
    )
    return [Usage(bool(batch), by and json.loads(by), *sums) for batch, by, *sums in found]


def usage_of(db: sqlite3.Connection, keys: Iterable[str]) -> Iterator[Usage]:
    """Yield the usage of the answer to each of these questions that has one; that none was usable is a call without tokens."""
    for key in keys:
        row = db.execute("SELECT answer FROM answers WHERE key = ?", [key]).fetchone()
        if row and (answer := _read(row[0])) is not None and "rejected" not in answer:
            yield Usage("batch" in answer, answer.get("by"), 1, *(answer.get("usage") or (0, 0)))


def _read(text: str) -> Answer | None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


class Ledger:
    """Answers by key in SQLite, the questions of batches under way, and the usage of useless answers; a context manager.

    It keeps SQLite's rollback journal, since write-ahead logs do not work on network file systems, and holds the file's lock for as
    long as it is open: one writer at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        with self._explained():
            self._db.text_factory = lambda text: text.decode(errors="replace")
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID")
            self._db.execute("CREATE TABLE IF NOT EXISTS under_way (key TEXT PRIMARY KEY, batch TEXT NOT NULL) WITHOUT ROWID")
            if not self._db.execute("SELECT 1 FROM pragma_table_info('under_way') WHERE name = 'expected'").fetchone():
                self._db.execute("ALTER TABLE under_way ADD COLUMN expected TEXT")
            self._db.execute("CREATE TABLE IF NOT EXISTS wasted (answer TEXT NOT NULL)")
            self._db.execute("COMMIT")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    def get(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Return the answers that the ledger has, by key."""
        return dict(self.each(set(keys)))

    def each(self, keys: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        """Yield the keys and answers that the ledger has, in the keys' order: all of a study's at once would fill the memory.

        An answer that was damaged on the disk is none, so it is asked again.
        """
        with self._explained():
            found = (self._db.execute("SELECT key, answer FROM answers WHERE key = ?", [key]).fetchone() for key in keys)
            yield from ((key, answer) for key, text in filter(None, found) if (answer := _read(text)) is not None)

    def put(self, answers: Mapping[str, Answer], wasted: Iterable[Answer] = ()) -> None:
        """Store answers, and the usage of `wasted` ones, in one transaction, which is on the disk when this returns.

        An answer that is replaced stays among the wasted ones: it was paid for. Any thread may call this, one at a time.
        """
        rows = [(key, json.dumps(answer, sort_keys=True)) for key, answer in answers.items()]
        with self._explained(), self._db:  # which commits the transaction or rolls it back
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO wasted SELECT answer FROM answers WHERE key = ?", [(key,) for key in answers])
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
            self._db.executemany("INSERT INTO wasted VALUES (?)", [(json.dumps(answer),) for answer in wasted])

    def note_batch(self, batch: str, expected: Mapping[str, Answer]) -> None:
        """Note which questions a batch is to answer, and the expected usage of each; on the disk when this returns."""
        rows = [(key, batch, json.dumps(answer)) for key, answer in expected.items()]
        with self._explained(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO under_way (key, batch, expected) VALUES (?, ?, ?)", rows)

    def under_way(self, keys: Iterable[str]) -> dict[str, str]:
        """Return key → the batch that is to answer it, for the keys that are in one."""
        with self._explained():
            found = (self._db.execute("SELECT key, batch FROM under_way WHERE key = ?", [key]).fetchone() for key in set(keys))
            return dict(filter(None, found))

    def forget_batch(self, keys: Iterable[str]) -> None:
        """Remove the notes that a batch is to answer these questions."""
        with self._explained(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM under_way WHERE key = ?", [(key,) for key in keys])

    def command_to_forget(self, batch: str) -> str:
        """Return the command by which a user gives up a batch; its questions are then asked, and paid for, again."""
        return f"""`sqlite3 {self.path} "DELETE FROM under_way WHERE batch = '{batch}'"`"""

    def command_to_ask_again(self) -> str:
        """Return the command by which a user has the questions asked, and paid for, again that have no usable answer."""
        return f"""`sqlite3 {self.path} "DELETE FROM answers WHERE json_extract(answer, '$.unusable') IS NOT NULL"`"""

    def batches_of_others(self, keys: Collection[str]) -> list[str]:
        """Return the batches with unfetched answers to questions other than these."""
        with self._explained():
            return sorted({batch for key, batch in self._db.execute(f"SELECT key, batch FROM {_OPEN}") if key not in keys})

    def usage(self) -> list[Usage]:
        """Return the usage of all answers, the useless ones included."""
        with self._explained():
            return usage(self._db) + usage(self._db, "wasted")

    def paid_tries(self) -> Counter[str]:
        """Return how many answers of no use each question has had, in all runs; a wasted answer names its question as `key`."""
        with self._explained():
            valid = "SELECT json_extract(answer, '$.key') AS key, count(*) FROM wasted WHERE json_valid(answer)"
            found = self._db.execute(f"{valid} AND key IS NOT NULL GROUP BY 1")
            return Counter(dict(found))

    def fruitless(self) -> set[tuple[str, str]]:
        """Return batch and key of each answer of no use that was fetched from a batch."""
        with self._explained():
            names = "SELECT json_extract(answer, '$.batch'), json_extract(answer, '$.key') FROM wasted WHERE json_valid(answer)"
            return {(batch, key) for batch, key in self._db.execute(names) if isinstance(batch, str) and key is not None}

    def expected(self) -> list[Usage]:
        """Return the expected usage of answers that are not fetched from their batches yet."""
        with self._explained():
            return usage(self._db, _OPEN, "expected")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_BUSY":
                raise UserError(f"{self.path} is in use: wait until the other job that asks has ended, then run again") from error
            if error.sqlite_errorname == "SQLITE_FULL":
                raise UserError(f"the disk is full on which {self.path} lies: make room, then run again") from error
            raise UserError(f"{self.path} cannot be read or written ({error}): fix that, then run again") from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self.path} is not a ledger ({error}): move it away and run again, which asks everything anew"
            ) from error
