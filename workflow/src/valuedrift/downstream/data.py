"""Downloads the benchmarks' datasets once, with their commits, so that the models are evaluated without a network.

A dataset that a task builds by its own code, without `datasets.load_dataset`, cannot be pinned. None of the paper's tasks is such.
"""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from pyarrow import ArrowException

from valuedrift.config.downstream import DownstreamDataJob
from valuedrift.downstream.store import Store
from valuedrift.downstream.tasks import datasets_from, task_manager
from valuedrift.errors import UserError
from valuedrift.io.files import replacing
from valuedrift.io.records import parse_rows
from valuedrift.io.row_files import read_rows

SPLITS = ("train", "validation", "test", "dev")  # the names of splits in lm-eval's tasks
FILES = ("arrow", "csv", "json", "parquet", "text")  # not hub names but the formats of local files


def run(*, config: DownstreamDataJob, output: Path) -> None:
    """Write every split that a task reads as Parquet, and `datasets.json` with the requests, commits, row counts and hashes."""
    manager = task_manager([task.task for task in config.tasks.values()], config.include)
    read: set[str] = set()
    with replacing(output) as scratch:
        scratch.mkdir()
        store = Store(scratch)
        for key, task in sorted(config.tasks.items()):
            with datasets_from(_loader(store, key, task.data, config.revisions, read)):
                manager.load([task.task])
        if unread := sorted(set(config.revisions) - read):
            raise UserError(
                f"config: `downstream.tasks.*.revisions`: the task does not read {unread[0]}; it reads {', '.join(sorted(read))}"
            )
        store.close()
    print(f"{len(config.tasks)} benchmarks, which read {', '.join(sorted(read))}", file=sys.stderr)


def _loader(store: Store, key: str, file: str | None, revisions: dict[str, str], read: set[str]) -> Callable[..., DatasetDict]:
    def fetch(path: str, name: str | None = None, **options: Any) -> DatasetDict:
        read.add(file or path)
        asked = [path, name, dict(options)]
        if file is not None:
            return store.add(key, asked, {"file": file}, _local_dataset(file))
        if path in FILES:
            return store.add(key, asked, {}, load_dataset(path, name, **options))
        try:
            revision = revisions.get(path, options.pop("revision", None))
            commit = HfApi().dataset_info(path, revision=revision).sha
            return store.add(key, asked, {"commit": commit}, load_dataset(path, name, revision=commit, **options))
        except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
            raise UserError(_explain(path, str(error))) from error

    return fetch


def _local_dataset(file: str) -> DatasetDict:
    rows, _ = parse_rows(read_rows(file), lambda row: row, 0, file)
    try:
        return DatasetDict(dict.fromkeys(SPLITS, Dataset.from_list(rows)))
    except (ArrowException, OverflowError) as error:  # a field that is text in one row and a list in another
        raise UserError(f"the rows of {file} do not make a table: {error}") from error


def _explain(path: str, message: str) -> str:
    if "gated" in message.lower():
        return f"the dataset {path} is gated: accept its terms at https://huggingface.co/datasets/{path}, then run `hf auth login`"
    return f"the dataset {path} cannot be downloaded from the hub: {textwrap.shorten(message, 300, placeholder=' …')}"
