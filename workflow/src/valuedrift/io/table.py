"""A declared table on disk: atomic writes with a checksum, and reads that check it, the columns and what they hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.io import checksums
from valuedrift.io.columns import Column, Rules, Type, broken
from valuedrift.io.files import command_for, remedy, replacing, usable


@dataclass(frozen=True)
class Table:
    """A declared table: its columns in order, which of them may be null, the columns that identify a row, and rules for rows."""

    name: str
    columns: dict[str, Type]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    rules: Rules = field(default_factory=dict)

    def check(self, frame: pl.DataFrame, where: str) -> pl.DataFrame:
        """Return the frame with its columns in order; raises UserError where it is not this table."""
        if missing := [c for c in self.columns if c not in frame.columns]:
            raise UserError(f"{where} is not a {self.name} table: it lacks the columns {', '.join(missing)}")
        frame = frame.select(list(self.columns))
        if wrong := self._misfits(frame) or broken(frame, self.rules, list(self.key)):
            raise UserError(f"{where} is not a {self.name} table: {'; '.join(wrong)}")
        return frame

    def _misfits(self, frame: pl.DataFrame) -> list[str]:
        wrong = [f"{c} is {frame.schema[c]}, not {t}" for c, t in self.columns.items() if frame.schema[c] != t]
        wrong += [f"{c} has nulls" for c in self.columns if c not in self.nullable and frame[c].null_count()]
        keys = frame.select(list(self.key))
        # Hashes of different rows may be equal, those of equal rows are: 0.1 s for 3.2 million rows, and 0.7 s without them.
        if keys.hash_rows().n_unique() < frame.height and keys.is_duplicated().any():
            wrong.append(f"rows repeat a key ({', '.join(self.key)})")
        return wrong

    def write(self, frame: pl.DataFrame, path: Path, notes: dict[str, str] | None = None) -> None:
        """Check the frame and write it as Parquet with a checksum, and `notes` in the file's metadata; the path holds all of it or
        nothing new."""
        frame = self.check(frame, str(path))
        with replacing(path) as scratch:
            frame.write_parquet(scratch, metadata={**(notes or {}), checksums.KEY: checksums.BLANK})
            checksums.seal(scratch)

    def read(self, path: Path) -> pl.DataFrame:
        """Read and check a Parquet file.

        A column that may be null and that was added to the table after the file was written is null in every row. Raises UserError,
        with the command that makes the file again, where another column is missing or the file is damaged.
        """
        frame = self.query(path, lambda rows: rows)
        lacking = [c for c in self.columns if c not in frame.columns]
        if missing := [c for c in lacking if c not in self.nullable]:
            raise UserError(
                f"{path} lacks the columns {', '.join(missing)} of a {self.name} table. If an older version wrote it, "
                f"{remedy(path)}"
            )
        try:
            return self.check(frame.with_columns(pl.lit(None, self.columns[c]).alias(c) for c in lacking), str(path))
        except UserError as error:
            raise UserError(f"{error}. If it was edited or damaged, {remedy(path)}") from None

    def read_whole(self, path: Path) -> pl.DataFrame:
        """Read a table in which every combination of the key's values has a row, such as of steps, prompts and samples.

        Raises UserError also where rows are missing.
        """
        frame = self.read(path)
        wanted = prod(frame.select(pl.col(self.key).n_unique()).row(0))
        if frame.height < wanted:
            raise UserError(
                f"{path} lacks {wanted - frame.height:,} of {wanted:,} rows, since not every {', '.join(self.key)} has one: "
                f"{remedy(path)}"
            )
        return frame

    def query(self, path: Path, ask: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """Return the answer to a query of the file's rows, whose columns are not checked; its checksum is.

        Raises UserError, with the command that makes the file again, where it is missing, damaged or of another kind.
        """
        if not path.exists():
            raise UserError(f"{path} is missing. Make it with `{command_for(path)}`")
        try:
            if checksums.is_damaged(path):  # before polars reads it, whose process some damage ends
                raise UserError(f"{path} is damaged: it has changed since it was written; {remedy(path)}")
            return ask(pl.scan_parquet(path)).collect()
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
            raise UserError(f"{path} cannot be read as a {self.name} table ({reason}); {remedy(path)}") from error

    def column(self, path: Path, ask: pl.Expr) -> pl.Series | None:
        """Return one column of a query for a command over a whole study: None if the file is not there or broken (`usable`)."""
        found = usable(lambda file: self.query(file, lambda rows: rows.select(ask)), path)
        return None if found is None else found.to_series()

    def frame(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """Return rows as a frame of this table's types, also where there are none."""
        return pl.DataFrame(rows, schema=self.columns)


def declared(name: str, key: str, nullable: str = "", rules: Rules | None = None, /, **columns: Type | Column) -> Table:
    """Return a table with the rules of its columns and `rules`; `key` and `nullable` are names of columns, separated by blanks."""
    types = {column: kind.type if isinstance(kind, Column) else kind for column, kind in columns.items()}
    ranges = dict(kind.rule(column) for column, kind in columns.items() if isinstance(kind, Column))
    return Table(name, types, tuple(key.split()), frozenset(nullable.split()), ranges | (rules or {}))
