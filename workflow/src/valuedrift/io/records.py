"""Reading rows of single files or of downloaded datasets; rows that are left out are counted by reason."""

import codecs
import csv
import gzip
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from valuedrift.errors import UserError
from valuedrift.io.tables import replacing

T = TypeVar("T")
Row = dict[str, Any]
LOCAL_FORMATS = (".json", ".jsonl", ".csv", ".parquet")
csv.field_size_limit(sys.maxsize)  # the default, 128 KiB, is shorter than some conversations


class MalformedRow(Exception):
    """Raised by a parser for a row that violates its schema; the message is the reason. Too many of them stop the stage."""


class UnusableRow(Exception):
    """Raised by a parser for a row that follows its schema and still cannot be used; the message is the reason.

    Public datasets hold such rows (13 of 2,312 real HH-RLHF pairs), and a user can fix neither them nor the config.
    """


def is_local(path: str) -> bool:
    """Return True if a dataset's `path` is a file or an existing folder rather than a hub name."""
    return Path(path.removesuffix(".gz")).suffix in LOCAL_FORMATS or Path(path).is_dir()


def read_rows(path: str, split: str = "train", subset: str | None = None) -> Iterator[tuple[int, Row | MalformedRow]]:
    """Yield the line (or row) number, from 1, with the row or what is wrong with it.

    `path` is a file, or the folder of a downloaded dataset; `split` and `subset` choose among the files of a folder.
    """
    if Path(path).is_dir():
        yield from enumerate(_folder_rows(path, split, subset), 1)
        return
    if not is_local(path):
        raise UserError(f"`{path}` is neither a file ({', '.join(LOCAL_FORMATS)}, also .gz) nor a folder of a downloaded dataset")
    if not Path(path).exists():
        raise UserError(f"{path} is missing")
    try:
        raw = Path(path).read_bytes()
        raw = gzip.decompress(raw) if path.endswith(".gz") else raw
    except (OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    raw = raw.removeprefix(codecs.BOM_UTF8)
    match Path(path.removesuffix(".gz")).suffix:
        case ".jsonl":
            yield from ((n, _json_line(line)) for n, line in enumerate(raw.splitlines(), 1) if line.strip())
        case ".json":
            yield from enumerate(_json_list(raw, path), 1)
        case ".csv":
            reader = csv.DictReader(io.StringIO(raw.decode("utf-8", "surrogateescape"), newline=""))
            yield from ((reader.line_num, _csv_row(row)) for row in reader)
        case _:
            yield from enumerate(_parquet_rows(raw, path), 1)


@dataclass
class Tally:
    """Counts of rows: `read`, `kept`, `skipped`, `unusable: <reason>`, `malformed: <reason>` and what a stage adds; and the first
    malformed row."""

    counts: Counter[str]
    first_malformed: str | None = None

    def write(self, path: Path) -> None:
        """Write the tally as JSON."""
        with replacing(path) as scratch:
            record = {**self.counts, "first_malformed": self.first_malformed}
            scratch.write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def parse_rows(
    rows: Iterator[tuple[int, Row | MalformedRow]], parse: Callable[[Row], T | None], max_malformed: float, name: str
) -> tuple[list[T], Tally]:
    """Parse every row; a parser returns None for a row that is not wanted and raises UnusableRow or MalformedRow for others.

    Returns the parsed rows and their tally. Prints what could not be used and the first malformed row; raises UserError when more
    than the share `max_malformed` of the rows is malformed.
    """
    kept: list[T] = []
    counts: Counter[str] = Counter()
    first: str | None = None
    for number, row in rows:
        counts["read"] += 1
        try:
            if isinstance(row, MalformedRow):
                raise row
            parsed = parse(row)
        except UnusableRow as reason:
            counts[f"unusable: {reason}"] += 1
            continue
        except MalformedRow as reason:
            counts[f"malformed: {reason}"] += 1
            first = first or f"line {number}: {reason}"
            continue
        if parsed is None:
            counts["skipped"] += 1
        else:
            kept.append(parsed)
    counts["kept"] = len(kept)
    if unusable := {key: n for key, n in counts.items() if key.startswith("unusable")}:
        reasons = "; ".join(f"{key.removeprefix('unusable: ')} ({n})" for key, n in sorted(unusable.items()))
        print(f"{name}: {sum(unusable.values())} of {counts['read']} rows cannot be used: {reasons}", file=sys.stderr)
    malformed = sum(n for key, n in counts.items() if key.startswith("malformed"))
    if malformed:
        message = f"{name}: {malformed} of {counts['read']} rows are malformed; the first is {first}"
        if malformed > max_malformed * counts["read"]:
            raise UserError(f"{message}. Fix the data, or raise `max_malformed` (now {max_malformed:g})")
        print(message, file=sys.stderr)
    if not kept:
        raise UserError(f"{name}: no usable rows among the {counts['read']} read ({counts['skipped']} were not wanted)")
    return kept, Tally(counts, first)


def text_field(row: Row, name: str, allow_empty: bool = False) -> str:
    """Return the string under `name`; raises MalformedRow where it is missing, empty or not a string."""
    value = row.get(name)
    if not isinstance(value, str):
        raise MalformedRow(f"no text in the field `{name}`")
    if not allow_empty and not value.strip():
        raise MalformedRow(f"the field `{name}` is empty")
    return value


def _folder_rows(path: str, split: str, subset: str | None) -> Iterator[Row]:
    """Yield the rows of a downloaded dataset, by the rules of its README and file names; streamed, since an Arrow copy of WildChat
    would take 4 GB of the user's cache."""
    import datasets

    try:
        yield from datasets.load_dataset(path, name=subset, split=split, streaming=True)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetGenerationError) as error:
        reason = " ".join(str(error).split())  # the library's own has several lines
        raise UserError(f"the dataset in {path} (`split` {split}, `subset` {subset}) cannot be read: {reason}") from error


def _json_line(line: bytes) -> Row | MalformedRow:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return MalformedRow("not UTF-8")
    except json.JSONDecodeError:
        return MalformedRow("no valid JSON")
    return row if isinstance(row, dict) else MalformedRow("no JSON object")


def _json_list(raw: bytes, path: str) -> Iterator[Row | MalformedRow]:
    try:
        rows = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON in UTF-8: {error}") from error
    if not isinstance(rows, list):
        raise UserError(f"{path} does not hold a list of rows")
    yield from (row if isinstance(row, dict) else MalformedRow("no JSON object") for row in rows)


def _parquet_rows(raw: bytes, path: str) -> Iterator[Row]:
    try:
        table = pl.read_parquet(raw)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    yield from table.iter_rows(named=True)


def _csv_row(row: Row) -> Row | MalformedRow:
    if None in row or None in row.values():
        return MalformedRow("wrong number of fields")
    if any("\udc80" <= c <= "\udcff" for value in row.values() for c in value):
        return MalformedRow("not UTF-8")
    return row
