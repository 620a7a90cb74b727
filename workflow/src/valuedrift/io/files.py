"""Files of a study: replaced as a whole, and named with the command that makes them."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def command_for(path: Path, again: bool = False) -> str:
    """Return the command that makes a file of a study, `again` also where it is there and up to date."""
    return f"snakemake {path}{' --force' if again else ''} --profile profiles/local --configfile <the study's config>"


def remedy(path: Path) -> str:
    """Return what to do about a file of a study that is there and of no use, as the end of a message."""
    return f"make it again with `{command_for(path, again=True)}`"


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
