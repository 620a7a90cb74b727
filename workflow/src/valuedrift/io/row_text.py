"""From text to rows: lines and elements of bounded length, JSON, and what no text of a row may hold."""

import codecs
import io
import json
import re
import sys
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from valuedrift.errors import UserError
from valuedrift.io.records import MalformedRow, Row

ROW_LIMIT = 2**24
"""Characters of a row, 16 Mi: some 3 million words, where the longest context of a model holds 1 million. A line without an end is
read no further, and a row of nothing but brackets takes 1 GB when it is parsed."""
DEPTH = 64
"""Levels of lists and objects in a row; the public schemas have up to 5. Python's own limit is that of its stack, and differs."""
CHUNK = 2**20
"""Bytes that are read at once."""
NESTED = f"nested more than {DEPTH} levels deep"
_SURROGATE = re.compile("[\ud800-\udfff]")
# A string, which may end beyond what has been read, or what separates elements.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


class Lines:
    """Iterates over the lines of a text file; raises MalformedRow, and goes on, where a row has more than ROW_LIMIT characters."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self.file, self.number, self._read = file, 0, 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self.file.readline(ROW_LIMIT + 1 - self._read)
        if not line:
            raise StopIteration
        self.number += 1
        self._read += len(line)
        if self._read <= ROW_LIMIT:
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self.file.readline(CHUNK)
        raise MalformedRow(f"more than {ROW_LIMIT:,} characters")

    def begin_row(self) -> None:
        """Count the characters of the next row, which in CSV may have several lines."""
        self._read = 0

    def of_next_row(self) -> str | MalformedRow | None:
        """Return the next line as a row of its own, or what is wrong with it; None at the end."""
        self.begin_row()
        try:
            return next(self, None)
        except MalformedRow as reason:
            return reason


def elements(file: BinaryIO, path: str) -> Iterator[bytes]:
    """Yield the text of each element of a JSON list; raises UserError where the file holds no list or an element has no end."""
    text = file.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip()
    if not text.startswith(b"["):
        raise UserError(f"{path} does not hold a list of rows")
    text, any_found = text[1:], False
    while True:
        start = depth = 0
        for token in _TOKEN.finditer(text):
            match token[0]:
                case b"[" | b"{":
                    depth += 1
                case b"]" | b"}" if depth:
                    depth -= 1
                case (b"," | b"]" | b"}") as mark if not depth:
                    element = text[start : token.start()]
                    if mark == b"," or any_found or element.strip():  # not the inside of `[]`
                        yield element
                    if mark != b",":
                        _check_end(file, text[token.end() :], path)
                        return
                    start, any_found = token.end(), True
        text, more = text[start:], file.read(CHUNK)
        if not more:
            raise UserError(f"{path} is not valid JSON: its list has no end")
        if len(text) > ROW_LIMIT:
            raise UserError(f"{path} is not read: an element has more than {ROW_LIMIT:,} bytes, or no end; save the rows as .jsonl")
        text += more


def _check_end(file: BinaryIO, text: bytes, path: str) -> None:
    while text:
        if text.strip():
            raise UserError(f"{path} is not valid JSON: something follows its list; rows that stand one on a line are .jsonl")
        text = file.read(CHUNK)


def json_row(text: str | bytes) -> Row | MalformedRow:
    """Return the JSON object, or why it cannot be a row; `text` holds bytes that are not UTF-8 as Python's lone surrogates."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        elif not text.isascii():
            text.encode()
        row = json.loads(text)
    except UnicodeError:
        return MalformedRow("not UTF-8")
    except RecursionError:
        return MalformedRow(NESTED)
    except json.JSONDecodeError:
        return MalformedRow("no valid JSON")
    except ValueError:
        return MalformedRow(f"a number of more than {sys.get_int_max_str_digits():,} digits")
    return checked(row) if isinstance(row, dict) else MalformedRow("no JSON object")


def checked(row: Row, surrogate: str = "half of a surrogate pair") -> Row | MalformedRow:
    """Return the row, or what in it no table could hold: no such text can be written as UTF-8, and tokenizers stop at a NUL."""
    flaw = _flaw(row, 1, surrogate)
    return MalformedRow(flaw) if flaw else row


def _flaw(value: object, depth: int, surrogate: str) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            return "a NUL character"
        return None if value.isascii() or not _SURROGATE.search(value) else surrogate
    if not isinstance(value, dict | list):
        return None
    if depth > DEPTH:
        return NESTED
    parts = chain(value, value.values()) if isinstance(value, dict) else value
    return next(filter(None, (_flaw(part, depth + 1, surrogate) for part in parts)), None)
