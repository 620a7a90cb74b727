"""A job on a node that was taken for lost but goes on, while the job that was started in its place ends first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from valuedrift.errors import UserError


def assert_overtaken_changes_nothing(
    patch: pytest.MonkeyPatch, where: Any, name: str, step: Callable[[], None], output: Path
) -> None:
    """Run `step` twice: the second job starts and ends when the first calls `where.name`, the middle of its work."""
    work, published = getattr(where, name), []

    def late(*arguments: Any, **options: Any) -> Any:
        patch.setattr(where, name, work)
        step()
        published.append(output.stat())
        return work(*arguments, **options)

    patch.setattr(where, name, late)
    with pytest.raises(UserError, match=f"another job has started to make {output} meanwhile; this one ends and changes nothing"):
        step()
    now = output.stat()
    assert [(now.st_ino, now.st_mtime_ns)] == [(one.st_ino, one.st_mtime_ns) for one in published]
    assert list(output.parent.glob(".*")) == []
