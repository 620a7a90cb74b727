"""What the tests of several stages share: the smallest world that the stages run on, made once for all processes of a session."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from tiny import make_world
from valuedrift.io.tables import PROMPTS

# A busy machine fails Hypothesis's limit of 200 ms for each example, and its check of how fast examples are drawn.
with suppress(ModuleNotFoundError):  # vLLM's installation does not have it
    from hypothesis import HealthCheck, settings

    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")

# Files with the longest tests: started first, the last of them does not keep one process waiting for the other.
LONGEST_FIRST = ("system/workflow/test_small_study", "train/", "system/workflow/", "miniature/", "prompts/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by how long their files take; within a file the order stays."""

    def place(item: pytest.Item) -> int:
        name = item.nodeid.removeprefix("tests/")
        return next((at for at, start in enumerate(LONGEST_FIRST) if name.startswith(start)), len(LONGEST_FIRST))

    items.sort(key=place)


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Once:
    """A function (name, make) that returns the folder of that name, filled by `make` in the first process that asks for it."""
    base = tmp_path_factory.getbasetemp()
    # pytest-xdist gives each process a folder of its own in the session's.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def tiny_world(once) -> Path:
    """A folder with a tokenizer, a barely trained base model and a judge, all real and far too small to be good."""
    return once("world", lambda folder: make_world(folder, hidden=32, layers=1, heads=2))


@pytest.fixture(scope="session")
def tiny_base(tiny_world, once) -> Path:
    """The run folder of the tiny base model."""
    from valuedrift.config.models import ModelConfig
    from valuedrift.config.train import BaseJob
    from valuedrift.train import base

    job = BaseJob(run="mini/base", model=ModelConfig(path=str(tiny_world / "base")), seed=0)
    return once("runs", lambda folder: base.run(config=job, output=folder / "mini" / "base")) / "mini" / "base"


@pytest.fixture(scope="session")
def some_prompts(tmp_path_factory) -> Path:
    """Six evaluation prompts of very different length in two categories."""
    path = tmp_path_factory.mktemp("prompts") / "prompts.parquet"
    rows = [
        {"prompt_id": f"{topic}-{i}", "category": f"On {topic}", "topic": topic, "question": question, "source_text": question,
         "source_id": f"{topic}-{i}"}
        for topic in ("abortion", "immigration")
        for i, question in enumerate((f"Is {topic} right?", f"Should we support {topic}?", f"Do you think, {'well, ' * 20} {topic} is good?"))
    ]  # fmt: skip
    PROMPTS.write(PROMPTS.frame(rows), path)
    return path
