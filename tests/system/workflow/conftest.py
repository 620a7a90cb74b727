"""The small study, run once for all tests of the whole workflow; each module works on a copy of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clone import SMALL, Clone, copy_repository
from warm_python import warm_python


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """The interpreter that the studies' steps start from."""
    with warm_python({**os.environ, "OMP_NUM_THREADS": "1"}) as python:
        yield python


@pytest.fixture(scope="session")
def small_study(once, python) -> Clone:
    """The small study, done, in a folder that no test may change."""
    return Clone(once("small", lambda folder: copy_repository(folder, python).run(SMALL)), python)


@pytest.fixture(scope="module")
def finished(small_study, tmp_path_factory) -> Clone:
    """A copy of the small study, done."""
    return small_study.copy(tmp_path_factory.mktemp("finished") / "clone")
