"""What a study was started with: its config's values and the files that plan and do its steps, so that an edit counts next time."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from valuedrift.io.files import replacing
from valuedrift.io.source_files import sources

PARTS = ("Snakefile", "workflow", "config", "envs")
"""What of the repository jobs read, from its top folder."""
CONFIG = "study.yaml"
ENGINE = ".venv-vllm"
"""vLLM's installation in the top folder; a snapshot has a link to it."""
UNUSED_DAYS = 60
"""After which a snapshot is removed: longer than a study runs, and each has 2 MB."""


class Snapshot:
    """The files of a repository in memory, as they are now, and the config's values."""

    def __init__(self, top: Path, config: Mapping[str, Any]) -> None:
        self.top = top.resolve()
        self.files = {path.relative_to(self.top): path.read_bytes() for path in _files(self.top)}
        self.files[Path(CONFIG)] = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True).encode()
        self._hashes: dict[tuple[str, ...], str] = {}

    def sources(self, *steps: str) -> str:
        """Return a SHA-256 over the source files of steps `<stage>.<module>`, which their rule has among its params.

        By the files' times, and by the checksums that Snakemake takes when a job has ended, what old code made would pass as
        current where a file was edited while the job ran.
        """
        if steps not in self._hashes:
            self._hashes[steps] = self._hash({path.resolve().relative_to(self.top) for step in steps for path in sources(step)})
        return self._hashes[steps]

    def _hash(self, paths: Iterable[Path]) -> str:
        digest = hashlib.sha256()
        for path in sorted(paths):
            digest.update(f"{path}\0{hashlib.sha256(self.files[path]).hexdigest()}\n".encode())
        return digest.hexdigest()

    def keep(self, folder: Path) -> Path:
        """Write what is not there, or not whole, into a folder of its own in `folder`; return it. Remove those unused for long."""
        kept = folder.resolve() / self._hash(self.files)[:16]
        for path, content in self.files.items():
            if not ((kept / path).exists() and (kept / path).read_bytes() == content):
                with replacing(kept / path) as scratch:
                    scratch.write_bytes(content)
        if (self.top / ENGINE).exists() and not (kept / ENGINE).exists():
            (kept / ENGINE).symlink_to(self.top / ENGINE)
        os.utime(kept)
        for old in kept.parent.iterdir():
            if old.stat().st_mtime < time.time() - UNUSED_DAYS * 86400:
                shutil.rmtree(old)
        return kept


def run_from(workflow: Any, snapshot: Path) -> None:
    """Make all jobs that Snakemake submits from now on read the snapshot's rules, package and config.

    Each of them starts a Snakemake of its own, which would read what is there by then (snakemake#3234).
    """
    workflow.scheduler._executor.snakefile = str(snapshot / "Snakefile")
    workflow.config_settings.configfiles = [snapshot / CONFIG]


def _files(top: Path) -> Iterable[Path]:
    for part in PARTS:
        paths = [top / part] if (top / part).is_file() else (top / part).rglob("*")
        yield from (path for path in paths if path.is_file() and "__pycache__" not in path.parts)


def _plain(value: Any) -> Any:
    """Return the value with dicts and lists of Python's own types."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
