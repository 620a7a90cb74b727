"""Reading rows of single files or of downloaded datasets, one row at a time.

What is wrong with one row costs that row alone, in every format: it is yielded as a MalformedRow.
"""

import codecs
import csv
import gzip
import io
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

from valuedrift.errors import UserError
from valuedrift.io.records import MalformedRow, Place, Row
from valuedrift.io.row_text import CHUNK, Lines, checked, elements, json_row

LOCAL_FORMATS = (".json", ".jsonl", ".csv", ".parquet")
KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
EXPANSION, FREE = 100, 2**26
"""A .gz file may unpack to 64 MiB, or to 100 times its size. Text compresses 3-fold to 20-fold, a file made to fill the memory
1,000-fold."""
WHOLE = 2**28
"""Bytes of a .parquet.gz, unpacked: Parquet is read from its end, so such a file is held in memory."""
PARQUET_BATCH = 500
"""Rows of a Parquet file that are held at once, as pyarrow's default of 65,536 are 1 GB of WildChat."""
csv.field_size_limit(sys.maxsize)  # the default, 128 KiB, is shorter than some conversations; ROW_LIMIT holds
Found = Iterator[tuple[int, Row | MalformedRow]]


def is_local(path: str) -> bool:
    """Return True if a dataset's `path` is a file or an existing folder rather than a hub name."""
    return _format(path) in LOCAL_FORMATS or Path(path).is_dir()


def read_rows(path: str, split: str = "train", subset: str | None = None) -> Iterator[tuple[Place, Row | MalformedRow]]:
    """Yield where each row stands, with the row or what is wrong with it.

    `path` is a file, or the folder of a downloaded dataset; `split` and `subset` choose among the files of a folder. Raises
    UserError if there is no such file or the file as a whole cannot be read.
    """
    if Path(path).is_dir():
        yield from _folder_rows(path, split, subset)
        return
    if not is_local(path):
        raise UserError(f"`{path}` is neither a file ({', '.join(LOCAL_FORMATS)}, also .gz) nor a folder of a downloaded dataset")
    if not Path(path).exists():
        raise UserError(f"{path} is missing")
    check_regular(path)
    yield from _file_rows(path)


def check_regular(path: str) -> None:
    """Raise UserError for a path that is there and is neither a file nor a folder: a named pipe would be waited for without end."""
    mode = Path(path).stat().st_mode if Path(path).exists() else stat.S_IFREG
    if kind := KINDS.get(stat.S_IFMT(mode)):
        raise UserError(f"{path} is {kind}: only regular files are read; write its rows to a file")


def _format(path: str) -> str:
    return Path(path.removesuffix(".gz")).suffix


def _file_rows(path: str) -> Found:
    """Yield the number of each row of a file (its line, in formats of lines) and the row."""
    reader = {".jsonl": _json_lines, ".json": _json_list, ".csv": _csv_rows, ".parquet": _parquet_rows}[_format(path)]
    try:
        with _opened(path) as file:
            yield from reader(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _opened(path: str) -> BinaryIO:
    return io.BufferedReader(_Unpacked(path), CHUNK) if path.endswith(".gz") else Path(path).open("rb")


class _Unpacked(io.RawIOBase):
    """The content of a .gz file; raises UserError where there is more of it than a data set has."""

    def __init__(self, path: str) -> None:
        self.path, self.packed, self.count = path, Path(path).open("rb"), 0  # noqa: SIM115  # `close` closes it
        self.content = gzip.GzipFile(fileobj=self.packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self.content.readinto(buffer)
        self.count += read
        if self.count > max(FREE, EXPANSION * self.packed.tell()):
            raise UserError(f"{self.path} unpacks to more than {EXPANSION} times its size: if that is right, unpack it (`gunzip`)")
        return read

    def close(self) -> None:
        self.packed.close()
        super().close()


def _text(file: BinaryIO, newline: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def _whole(file: BinaryIO, path: str) -> bytes:
    content = file.read(WHOLE + 1)
    if len(content) > WHOLE:
        raise UserError(f"{path} unpacks to more than {WHOLE // 2**20} MiB: unpack it (`gunzip`); Parquet is compressed itself")
    return content


def _json_lines(file: BinaryIO, path: str) -> Found:
    lines = Lines(_text(file, None))
    while (line := lines.of_next_row()) is not None:
        if isinstance(line, MalformedRow) or line.strip():
            yield lines.number, line if isinstance(line, MalformedRow) else json_row(line)


def _json_list(file: BinaryIO, path: str) -> Found:
    """A list is read element by element: a broken one is a row, and the file need not fit in memory."""
    yield from enumerate(map(json_row, elements(file, path)), 1)


def _csv_rows(file: BinaryIO, path: str) -> Found:
    lines = Lines(_text(file, ""))
    reader = csv.DictReader(lines)
    try:
        reader.fieldnames  # noqa: B018  # reads the first line
    except (csv.Error, MalformedRow) as error:
        raise UserError(f"{path} cannot be read: its first line, the names of the columns, has {error}") from error
    while True:
        lines.begin_row()
        row: Row | MalformedRow
        try:
            row = _csv_row(next(reader))
        except StopIteration:
            return
        except MalformedRow as reason:
            row = reason
        except csv.Error as error:
            row = MalformedRow(f"no valid CSV ({error})")
        yield lines.number, row


def _csv_row(row: Row) -> Row | MalformedRow:
    return MalformedRow("wrong number of fields") if None in row or None in row.values() else checked(row, "not UTF-8")


def _parquet_rows(file: BinaryIO, path: str) -> Found:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        source = io.BytesIO(_whole(file, path)) if path.endswith(".gz") else file
        batches = ParquetFile(source, page_checksum_verification=True).iter_batches(PARQUET_BATCH)
        yield from enumerate((row for batch in batches for row in _arrow_rows(batch)), 1)
    except ArrowException as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _arrow_rows(batch: Any) -> Iterator[Row | MalformedRow]:
    try:
        yield from map(checked, batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            yield MalformedRow("not UTF-8")
        else:
            yield from (row for number in range(batch.num_rows) for row in _arrow_rows(batch.slice(number, 1)))


def _folder_rows(path: str, split: str, subset: str | None) -> Iterator[tuple[Place, Row | MalformedRow]]:
    """Yield the rows of a downloaded dataset, whose files are chosen by the rules of its README and file names.

    Files of our own formats are read here, so that a broken row costs itself and not the split; others by the library, streamed,
    since an Arrow copy of WildChat would take 4 GB of the user's cache.
    """
    import datasets

    try:
        builder = datasets.load_dataset_builder(path, name=subset)
        files = _own_files(builder, split)
        if not files:
            yield from enumerate(map(checked, builder.as_streaming_dataset(split=split)), 1)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetGenerationError) as error:
        reason = " ".join(str(error).split())  # the library's own has several lines
        raise UserError(f"the dataset in {path} (`split` {split}, `subset` {subset}) cannot be read: {reason}") from error
    for file in files:
        for number, row in _file_rows(file):
            yield number if len(files) == 1 else f"{number} of {Path(file).name}", row


def _own_files(builder: Any, split: str) -> list[str]:
    """Return the files of a split if all are of our own formats and the README says nothing of how to read them; else none."""
    config = builder.config
    files = list(map(str, (config.data_files or {}).get(split, ())))
    plain = type(config)()
    settings = {field.name for field in fields(config)} - {"name", "version", "description", "data_dir", "data_files"}
    as_usual = all(getattr(config, name) == getattr(plain, name) for name in settings)
    return files if as_usual and all(_is_own(file) for file in files) else []


def _is_own(file: str) -> bool:
    """Return True for a file that is read here; the library also takes .json for rows that stand one on a line."""
    if _format(file) != ".json":
        return _format(file) in LOCAL_FORMATS
    with _opened(file) as content:
        return content.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
