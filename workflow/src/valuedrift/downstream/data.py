"""The datasets of the benchmarks, fetched once and kept with their commits, so that the models are evaluated without a network.

What cannot be pinned: a dataset that a task builds by code of its own, past `datasets.load_dataset`. None of the paper's does.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from valuedrift.config.downstream import DownstreamDataJob
from valuedrift.downstream.store import Store
from valuedrift.downstream.tasks import datasets_from, task_manager
from valuedrift.errors import UserError
from valuedrift.io.records import parse_rows, read_rows
from valuedrift.io.tables import replacing

SPLITS = ("train", "validation", "test", "dev")  # what lm-eval's tasks call their splits
FILES = ("arrow", "csv", "json", "parquet", "text")  # no hub names: they say how local files are to be read


def run(*, config: DownstreamDataJob, output: Path) -> None:
    """Write every split that a task reads as Parquet, and `datasets.json`: what was asked for, its commit, rows and hashes."""
    manager = task_manager([task.task for task in config.tasks.values()], config.include)
    read: set[str] = set()
    with replacing(output) as scratch:
        scratch.mkdir()
        store = Store(scratch)
        for key, task in sorted(config.tasks.items()):
            with datasets_from(_fetcher(store, key, task.data, config.revisions, read)):
                manager.load([task.task])
        if unread := sorted(set(config.revisions) - read):
            raise UserError(
                f"config: `downstream.tasks.*.revisions`: the task does not read {unread[0]}; it reads {', '.join(sorted(read))}"
            )
        store.close()
    print(f"{len(config.tasks)} benchmarks, which read {', '.join(sorted(read))}", file=sys.stderr)


def _fetcher(store: Store, key: str, file: str | None, revisions: dict[str, str], read: set[str]) -> Callable[..., DatasetDict]:
    def fetch(path: str, name: str | None = None, **options: Any) -> DatasetDict:
        read.add(file or path)
        asked = [path, name, dict(options)]
        if file is not None:
            return store.keep(key, asked, {"file": file}, _stand_in(file))
        if path in FILES:
            return store.keep(key, asked, {}, load_dataset(path, name, **options))
        try:
            revision = revisions.get(path, options.pop("revision", None))
            commit = HfApi().dataset_info(path, revision=revision).sha
            return store.keep(key, asked, {"commit": commit}, load_dataset(path, name, revision=commit, **options))
        except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
            raise UserError(_mend(path, str(error))) from error

    return fetch


def _stand_in(file: str) -> DatasetDict:
    rows, _ = parse_rows(read_rows(file), lambda row: row, 0, file)
    return DatasetDict(dict.fromkeys(SPLITS, Dataset.from_list(rows)))


def _mend(path: str, said: str) -> str:
    if "gated" in said.lower():
        return f"the dataset {path} is gated: accept its terms at https://huggingface.co/datasets/{path}, then run `hf auth login`"
    return f"the dataset {path} cannot be had from the hub: {' '.join(said.split())[:300]}"
