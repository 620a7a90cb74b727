"""A checksum in the metadata of a Parquet file, over every byte of the file but its own.

Other readers see an ordinary file. A file without one, of an older version or made by hand, is read as it is.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

KEY = "valuedrift.checksum"
BLANK = "0" * 64
MARK = KEY.encode() + b"\x18\x40"
"""The key as Parquet's footer (Thrift's compact protocol) has it, with type and length of the value, which comes next."""
TAIL = 1 << 20
"""Bytes at the end of a file that are searched for the mark: row groups are described before it, the library's name after it."""


def seal(path: Path) -> None:
    """Write the checksum into a file whose metadata has BLANK under KEY."""
    place = _place(path)
    assert place is not None
    digest = _digest(path, place)
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(digest)


def is_damaged(path: Path) -> bool:
    """Return True if the file has a checksum which is not that of its bytes; an unchanged file is read once."""
    found = path.stat()
    return _is_damaged(path, found.st_size, found.st_mtime_ns)


@lru_cache
def _is_damaged(path: Path, size: int, changed: int) -> bool:
    place = _place(path)
    if place is None:
        return False
    with path.open("rb") as stream:
        stream.seek(place)
        return stream.read(len(BLANK)) != _digest(path, place)


def _place(path: Path) -> int | None:
    """Return where the checksum begins in the file; None if it has none."""
    with path.open("rb") as stream:
        start = max(0, path.stat().st_size - TAIL)
        stream.seek(start)
        found = stream.read().rfind(MARK)
    return None if found < 0 else start + found + len(MARK)


def _digest(path: Path, place: int) -> bytes:
    """Return the SHA-256, in hexadecimal digits, of the file without the checksum at `place`."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(min(TAIL, place - stream.tell())):
            digest.update(block)
        stream.seek(len(BLANK), 1)
        digest.update(stream.read())
    return digest.hexdigest().encode()
