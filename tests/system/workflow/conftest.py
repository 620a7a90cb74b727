"""The whole workflow, once, on a small study in a copy of the repository."""

import pytest

from clone import SMALL, Clone, copy_repository


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Clone:
    """The small study, done."""
    clone = copy_repository(tmp_path_factory.mktemp("clone"))
    clone.run(SMALL)
    return clone
