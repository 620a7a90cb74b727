"""Rows of datasets: reasons for which one is left out, parsing, and counts by reason. io/row_files.py reads them from files."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from valuedrift.errors import UserError
from valuedrift.io.files import replacing

T = TypeVar("T")
Row = dict[str, Any]
Place = int | str
"""Where a row stands: its line or number, from 1, or `<number> of <file>` where there are several files."""


class MalformedRow(Exception):
    """Raised by a parser for a row that violates its schema; the message is the reason. Too many of them stop the stage."""


class UnusableRow(Exception):
    """Raised by a parser for a row that follows its schema and still cannot be used; the message is the reason.

    Public datasets hold such rows (13 of 2,312 real HH-RLHF pairs), and a user can fix neither them nor the config.
    """


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
    rows: Iterator[tuple[Place, Row | MalformedRow]], parse: Callable[[Row], T | None], max_malformed: float, name: str
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
