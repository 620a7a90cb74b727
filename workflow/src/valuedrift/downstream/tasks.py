"""lm-eval's tasks, reading their datasets through this stage."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import datasets
from lm_eval.tasks import TaskManager

from valuedrift.errors import UserError


def task_manager(names: Iterable[str], include: str | None) -> TaskManager:
    """Return a TaskManager that knows the tasks of these names; raise UserError for an unknown one.

    lm-eval's own index, thousands of files that take 6 seconds to read, is skipped if the user's folder has all of them.
    """
    wanted = set(names)
    if include is not None:
        if not Path(include).is_dir():
            raise UserError(f"config: `downstream.include`: the folder {include} does not exist")
        own = TaskManager(include_path=include, include_defaults=False)
        if wanted <= set(own.all_tasks):
            return own
    every = TaskManager(include_path=include)
    for unknown in sorted(wanted - set(every.all_tasks)):
        close = difflib.get_close_matches(unknown, every.all_tasks, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else "; `lm-eval ls tasks` lists the tasks"
        raise UserError(f"config: `downstream.tasks`: lm-eval does not know the task `{unknown}`{hint}")
    return every


@contextmanager
def datasets_from(load: Callable[..., Any]) -> Iterator[None]:
    """Replace `datasets.load_dataset` by `load`, which has the same parameters, within the block.

    lm-eval has no other way to pin the commit of a task's dataset, and none to keep a task from asking the hub.
    """
    original, datasets.load_dataset = datasets.load_dataset, load
    try:
        yield
    finally:
        datasets.load_dataset = original


def prepare_once(task: Any) -> None:
    """Make the task prepare each split once, and draw its examples from the prepared split.

    lm-eval prepares a split again at every use: for questions, for scoring, for examples. GPQA's preparation shuffles the choices,
    differently each time, so that answers are scored by the key of another shuffle (a quarter of them right by chance) and a
    question can be its own example. On a second run on the same machine, the cache of the datasets library hides this.
    """
    if not hasattr(task, "sampler"):
        return
    for block in (task.config, task.fewshot_cfg):
        if block.process_docs is not None:
            block.process_docs = _once(block.process_docs)
    task.sampler.replace_df(list(task.fewshot_docs()))


@cache
def _once(prepare: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function with its result cached per split; cached splits are referenced, so that no `id` is reused."""
    known: dict[int, tuple[Any, Any]] = {}

    def prepared(split: Any) -> Any:
        if id(split) not in known:
            known[id(split)] = (split, prepare(split))
        return known[id(split)][1]

    return prepared
