"""Observation of the running study: each process of its steps, seen in /proc, and each output as it is on disk."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import polars as pl


@dataclass
class Step:
    """A process `python -m valuedrift.<stage> <step> ...`; `job` is None outside SLURM."""

    pid: int
    stage: str
    step: str
    options: dict[str, str]
    job: str | None
    node: str | None
    gpus: frozenset[str]
    first: float
    last: float = field(default=0.0)

    @property
    def output(self) -> str:
        """Return the path that the step writes; a few steps name several files by other options."""
        return self.options.get("--output") or str(self.options)

    def overlaps(self, other: "Step") -> bool:
        """Return True if both were alive at one time."""
        return self.first <= other.last and other.first <= self.last


class Observer:
    """Calls `look` repeatedly while its `with` block runs, in a thread of its own."""

    seconds = 0.25

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._over.wait(self.seconds):
            self.look()

    def look(self) -> None:
        raise NotImplementedError


class Watch(Observer):
    """The steps whose working directory is `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seen: dict[tuple[int, str], Step] = {}

    @property
    def steps(self) -> list[Step]:
        return list(self.seen.values())

    def of(self, stage: str, step: str, output: str) -> list[Step]:
        """Return the executions of one step so far, in their order."""
        found = [one for one in self.steps if (one.stage, one.step) == (stage, step) and one.output == output]
        return sorted(found, key=lambda one: one.first)

    def look(self) -> None:
        now = time.monotonic()
        for key, step in self._alive(now):
            self.seen.setdefault(key, step).last = now

    def _alive(self, now: float) -> Iterator[tuple[tuple[int, str], Step]]:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if len(words) < 4 or words[1] != "-m" or not words[2].startswith("valuedrift."):
                    continue
                if (process / "cwd").resolve() != self.folder:
                    continue
                _, parent, *fields = (process / "stat").read_text().rpartition(")")[2].split()
                if Path(f"/proc/{parent}/cmdline").read_bytes() == (process / "cmdline").read_bytes():
                    continue  # the step itself, about to start another program
                born = fields[17]
                pairs = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # ended meanwhile
            environment = dict(pair.partition("=")[::2] for pair in pairs)
            yield (int(process.name), born), described(int(process.name), words, environment, now)


class Outputs(Observer):
    """Records outputs in `folder` that are not whole.

    Only those seen in two looks in a row, since Snakemake removes the outputs of a failed job one after the other.
    """

    seconds = 1.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.partial: set[str] = set()
        self._before: set[str] = set()
        self.looks = 0

    def look(self) -> None:
        now = set(partial_outputs(self.folder))
        self.partial |= now & self._before
        self._before = now
        self.looks += 1


def partial_outputs(folder: Path) -> Iterator[str]:
    """Yield tables that cannot be read and manifests whose weights are missing, scratch files (hidden) left out."""
    for table in visible(folder, "*.parquet"):
        try:
            pl.read_parquet(table)
        except FileNotFoundError:
            continue  # removed meanwhile
        except Exception as error:
            yield f"{table}: {error}"
    for manifest in visible(folder, "manifest.json"):
        try:
            paths = [manifest.parent / checkpoint["path"] for checkpoint in json.loads(manifest.read_text())["checkpoints"]]
        except FileNotFoundError:
            continue
        except Exception as error:
            yield f"{manifest}: {error}"
            continue
        yield from (f"{manifest}: no {path}" for path in paths if not (path / "model.safetensors").exists())


def visible(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.rglob(pattern) if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def described(pid: int, words: list[str], environment: dict[str, str], now: float) -> Step:
    options = {word: words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("--")}
    gpus = environment.get("CUDA_VISIBLE_DEVICES", "")
    return Step(
        pid, words[2].removeprefix("valuedrift."), words[3], options, environment.get("SLURM_JOB_ID"), environment.get("SLURMD_NODENAME"),
        frozenset(filter(None, gpus.split(","))), now,
    )  # fmt: skip


def twice_at_once(steps: list[Step]) -> list[tuple[Step, Step]]:
    """Return pairs of executions of the same step for the same output that were alive at one time."""
    return [
        (one, other)
        for at, one in enumerate(steps)
        for other in steps[at + 1 :]
        if (one.stage, one.step, one.output) == (other.stage, other.step, other.output) and one.overlaps(other)
    ]


def shared_gpus(steps: list[Step]) -> list[tuple[Step, Step]]:
    """Return pairs of executions that had the same GPU of a node at one time."""
    return [
        (one, other)
        for at, one in enumerate(steps)
        for other in steps[at + 1 :]
        if one.node == other.node and one.gpus & other.gpus and one.overlaps(other)
    ]
