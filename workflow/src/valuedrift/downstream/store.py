"""The folder of downloaded datasets: Parquet files, and an index of the requests with their commits, row counts and hashes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict

from valuedrift.errors import UserError
from valuedrift.io.files import command_for, read_json, remedy
from valuedrift.io.weights import file_hash

INDEX = "datasets.json"


class Store:
    """Writes the folder of one or more benchmarks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: dict[str, list[dict[str, Any]]] = {}

    def add(self, key: str, asked: list[Any], origin: dict[str, str | None], splits: DatasetDict) -> DatasetDict:
        """Write the splits that a task of the benchmark `key` requested, and return them; `origin` is added to the index."""
        records = self.index.setdefault(key, [])
        kept = {}
        for split, rows in splits.items():
            path = _path(self.folder, key, len(records), split)
            path.parent.mkdir(parents=True, exist_ok=True)
            rows.to_parquet(path)
            kept[split] = {"rows": len(rows), "sha256": file_hash(path)}
        records.append({"asked": asked, **origin, "splits": kept})
        return splits

    def close(self) -> None:
        """Write the index."""
        (self.folder / INDEX).write_text(json.dumps(self.index, indent=1, sort_keys=True) + "\n")


def stored(folder: Path, key: str) -> Callable[..., DatasetDict]:
    """Return a replacement for `datasets.load_dataset` that reads the datasets of the benchmark `key` from the folder."""
    if not (folder / INDEX).exists():
        raise UserError(f"{folder} has no {INDEX}. Make it with `{command_for(folder, again=True)}`")
    records = read_json(folder / INDEX).get(key, [])

    def load(path: str, name: str | None = None, **options: Any) -> DatasetDict:
        asked = json.loads(json.dumps([path, name, options]))
        for number, record in enumerate(records):
            if record["asked"] == asked:
                return DatasetDict({s: _split(_path(folder, key, number, s), kept) for s, kept in record["splits"].items()})
        raise UserError(
            f"{folder} lacks {path} ({name or 'its only part'}) for {key}. Make it again with `{command_for(folder, again=True)}`"
        )

    return load


def _split(path: Path, kept: dict[str, Any]) -> Dataset:
    if not path.exists() or file_hash(path) != kept["sha256"]:
        raise UserError(f"{path} has changed since it was downloaded; {remedy(path.parents[2])}")
    return Dataset(pq.read_table(path))


def _path(folder: Path, key: str, number: int, split: str) -> Path:
    return folder / key / str(number) / f"{split}.parquet"
