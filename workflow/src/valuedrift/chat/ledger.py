"""What was asked and answered before: a file of answers by key that outlives the job that asked."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from valuedrift.errors import UserError

Answer = dict[str, Any]
"""What a server said to one question, as JSON."""

USAGE = """SELECT json_extract(answer, '$.batch') IS NOT NULL AS batch, count(*),
    coalesce(sum(json_extract(answer, '$.usage[0]')), 0), coalesce(sum(json_extract(answer, '$.usage[1]')), 0)
    FROM answers WHERE json_extract(answer, '$.rejected') IS NULL GROUP BY 1"""


def key_of(**question: str | float | None) -> str:
    """The key of a question: a hash of everything that its answer depends on."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


class Ledger:
    """Answers by key in SQLite; a context manager.

    It keeps SQLite's rollback journal, since write-ahead logs do not work on network file systems, and holds the file's lock from
    start to end: one writer at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        with self._explained():
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID")
            self._db.execute("CREATE TABLE IF NOT EXISTS under_way (key TEXT PRIMARY KEY, batch TEXT NOT NULL) WITHOUT ROWID")
            self._db.execute("COMMIT")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    def get(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The answers that are there, by key."""
        return dict(self.each(set(keys)))

    def each(self, keys: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        """The keys and answers that are there, in order and one at a time: all of a study's would fill the memory."""
        with self._explained():
            found = (self._db.execute("SELECT key, answer FROM answers WHERE key = ?", [key]).fetchone() for key in keys)
            yield from ((key, json.loads(answer)) for key, answer in filter(None, found))

    def put(self, answers: Mapping[str, Answer]) -> None:
        """Store answers, all in one transaction: on the disk when this returns. Any thread may call it, one at a time."""
        rows = [(key, json.dumps(answer, sort_keys=True)) for key, answer in answers.items()]
        with self._explained(), self._db:  # which ends the transaction, for good or ill
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)

    def note_batch(self, batch: str, keys: Iterable[str]) -> None:
        """Remember which questions a batch under way is to answer: on the disk when this returns."""
        with self._explained(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR REPLACE INTO under_way VALUES (?, ?)", [(key, batch) for key in keys])

    def under_way(self, keys: Iterable[str]) -> dict[str, str]:
        """Key → the batch that is to answer it, where there is one."""
        with self._explained():
            found = (self._db.execute("SELECT key, batch FROM under_way WHERE key = ?", [key]).fetchone() for key in set(keys))
            return dict(filter(None, found))

    def forget_batch(self, keys: Iterable[str]) -> None:
        """No batch is to answer these questions any more."""
        with self._explained(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM under_way WHERE key = ?", [(key,) for key in keys])

    def usage(self) -> list[tuple[bool, int, int, int]]:
        """Whether a batch answered, number of answers, tokens of their questions, and tokens of the answers themselves."""
        with self._explained():
            return self._db.execute(USAGE).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_BUSY":
                raise UserError(f"{self.path} is in use: wait until the other job that asks has ended, then run again") from error
            if error.sqlite_errorname == "SQLITE_FULL":
                raise UserError(f"the disk is full on which {self.path} lies: make room, then run again") from error
            raise UserError(f"{self.path} cannot be read or written ({error}): mend that, then run again") from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"{self.path} is no ledger ({error}): move it away and run again, which asks everything anew"
            ) from error
