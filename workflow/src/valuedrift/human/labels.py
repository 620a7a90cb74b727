"""Reads people's labels: the files saved by the labelling page, or the sheet filled in by hand."""

from csv import DictReader
from csv import Error as CsvError
from pathlib import Path

from valuedrift.config.base import STANCES
from valuedrift.errors import UserError
from valuedrift.io.spreadsheets import unguarded

MAJORITY = "majority"
"""Name of the rater whose label is the most frequent one of several people."""
Labels = dict[str, str]
"""Id of a response → the stance that a person gave it."""


def read_people(paths: list[Path], ids: set[str]) -> dict[str, Labels]:
    """Return name → labels of each person, from one file per person; raise UserError with file and line for an invalid label."""
    people, origin = dict[str, Labels](), dict[str, Path]()
    for path in paths:
        name, labels = _read(path, ids)
        if name in origin:
            raise UserError(f"{path} and {origin[name]} are both labels of {name}: give one file per person")
        if name == MAJORITY:
            raise UserError(f"{path}: a labeller cannot be called {MAJORITY}; rename the file or the labeller")
        people[name], origin[name] = labels, path
    return people


def _read(path: Path, ids: set[str]) -> tuple[str, Labels]:
    """Return the name and the labels in a file; the name is in the column `labeller`, otherwise it is the file's name."""
    labels, lines, name = Labels(), dict[str, int](), ""
    for line, row in _rows(path):
        one, label, labeller = (row.get(column, "").strip() for column in ("id", "label", "labeller"))
        where = f"{path}, line {line}"
        if one not in ids:
            raise UserError(
                f"{where}: the sample has no response with the id {one!r}; give labels of this sample, with their ids unchanged"
            )
        if one in lines:
            raise UserError(f"{where}: {one} already has a label, on line {lines[one]}; remove one of the two lines")
        if label and label.lower() not in STANCES:
            raise UserError(f"{where}: {label!r} is not a label; write {', '.join(STANCES[:-1])} or {STANCES[-1]}, or nothing")
        if name and labeller and labeller != name:
            raise UserError(f"{where}: the labels above are {name}'s, this one is {labeller}'s; give one file per person")
        name, lines[one] = labeller or name, line
        if label:
            labels[one] = label.lower()
    if not labels:
        raise UserError(f"{path} has no label: fill it in, or remove it from `human.labels`")
    return name or path.stem, labels


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the line and the cells of each row; spreadsheets may write a byte order mark first and semicolons between cells."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = DictReader(file, delimiter=";" if ";" in head and "," not in head else ",", restval="")
            lacking = {"id", "label"} - set(reader.fieldnames or [])
            rows = [(reader.line_num, {k: unguarded(v) for k, v in row.items() if k is not None}) for row in reader]
    except FileNotFoundError:
        raise UserError(f"{path} is missing: correct it in `human.labels`") from None
    except (UnicodeDecodeError, CsvError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8 ({error}): save it as one") from None
    if lacking:
        raise UserError(f"{path} lacks the column {' and '.join(sorted(lacking))}: its first line must name id and label")
    return rows
