"""Files of a study: replaced as a whole, and named with the command that makes them."""

import json
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from valuedrift.errors import UserError

T = TypeVar("T")


def command_for(path: Path, again: bool = False) -> str:
    """Return the command that makes a file of a study, `again` also where it is there and up to date."""
    return f"snakemake {path}{' --force' if again else ''} --profile profiles/local --configfile <the study's config>"


def remedy(path: Path) -> str:
    """Return what to do about a file of a study that is there and of no use, as the end of a message."""
    return f"make it again with `{command_for(path, again=True)}`"


def read_json(path: Path) -> Any:
    """Return what a JSON file of a study holds; raises UserError, with the command that makes it, if it is missing or broken."""
    if not path.exists():
        raise UserError(f"{path} is missing. Make it with `{command_for(path)}`")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({error}); {remedy(path)}") from error


def usable(read: Callable[[Path], T], path: Path) -> T | None:
    """Return what a command over a study reads of a step's output; None if it is not there, or broken, of which it warns once.

    A broken file must not keep Snakemake from planning, since Snakemake is what makes it again.
    """
    try:
        return read(path) if path.exists() else None
    except UserError as error:
        _warn(str(error))
        return None


@cache
def _warn(message: str) -> None:
    print(f"warning: {message}; until then it counts as not made", file=sys.stderr, flush=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path next to `path`, for a file or a folder, which replaces it if the block succeeds; else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.stem}.????????{path.suffix}"):  # by a job that was killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    scratch = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield scratch
        if scratch.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        scratch.replace(path)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch)
        scratch.unlink(missing_ok=True)
