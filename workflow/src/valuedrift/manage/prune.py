"""Delete trajectories that are measured: they are most of a study's disk, and nothing but sampling reads them.

A run's folder keeps its final model, its manifest and every table, and gets `pruned.json`, which says what was there. What needs a
deleted trajectory later must train it anew (`retraining.py`).
"""

import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from valuedrift.config.load import read_files
from valuedrift.errors import UserError
from valuedrift.io.files import usable
from valuedrift.io.manifest import read_manifest
from valuedrift.io.tables import GENERATIONS
from valuedrift.manage.dag import dag_jobs, planned_workflow
from valuedrift.manage.terminal import table
from valuedrift.study.load import load_study
from valuedrift.study.study import Study

RECORD, SCRATCH, SAMPLED = "pruned.json", ".pruned-", "generations.parquet"
STATE = ".unfinished"
"""Folder that a training which was asked to stop after its last step leaves, with hard links to its checkpoints."""
STALE = "its responses are not of this config: run the study first"
LOCKS = Path(".snakemake/locks")


@dataclass(frozen=True)
class Trajectory:
    """The checkpoints of a run or of a reward model, as they are on disk now."""

    name: str
    folder: Path
    """Of the run."""
    checkpoints: int
    frees: int
    """Bytes that deleting it frees: without what the final model shares with it."""
    kept: str
    """Why it stays; empty where it may be deleted."""


def run(*, config: list[Path], dry_run: bool = False) -> None:
    """Delete the measured trajectories of the study's runs and those of its reward models, and say what stays and why.

    Final models stay, and so does everything that was not trained here. `--dry-run` only says what would be deleted.
    """
    study = load_study(read_files(config), files=False)
    refuse_at_work(study)
    found = list(trajectories(study))
    sampled = {one.name: [one.folder / again / SAMPLED for again in study.samplings] for one in found if not one.kept}
    stale = sampled_again(config, [path for paths in sampled.values() for path in paths if path.exists()])
    found = [replace(one, kept=STALE) if stale & set(sampled.get(one.name, [])) else one for one in found]
    if not dry_run:
        for left in list(Path(study.folder).rglob(f"{SCRATCH}*")):  # of a deletion that was cut short
            shutil.rmtree(left)
        for one in found:
            if not one.kept:
                prune(one)
    print("\n".join(report(found, dry_run)))


def trajectories(study: Study) -> Iterator[Trajectory]:
    """Yield the trajectory of each trained or external run and of each reward model that has one on disk."""
    for one in study.runs.values():
        folder = Path(study.folder_of(one.id))
        if one.algorithm != "base" and (folder / "trajectory").exists():
            own = "was trained elsewhere" if one.training is None else _unmeasured(folder, study.samplings)
            yield _found(one.id, folder, own)
    for reward in study.rewards:
        folder = Path(study.folder, "rewards", reward)
        if (folder / "trajectory").exists():
            yield _found(f"reward model {reward}", folder, _unfinished(folder))


def sampled_again(config: list[Path], sampled: list[Path]) -> set[Path]:
    """Return which of these tables of responses Snakemake would make anew with the config files, so that it needs trajectories.

    Raises UserError if Snakemake cannot build its graph.
    """
    targets = {str(path) for path in sampled}
    if not targets:
        return set()
    with planned_workflow(config, targets) as workflow:
        return {Path(path) for job in dag_jobs(workflow) if job.is_pending for path in job.outputs if path in targets}


def prune(found: Trajectory) -> None:
    """Delete one trajectory and leave a record; if killed in between, it leaves a whole trajectory or none."""
    saved = read_manifest(found.folder / "manifest.json").checkpoints
    record = {"steps": [checkpoint.step for checkpoint in saved], "bytes": found.frees, "hash": saved[-1].hash}
    scratch = found.folder / f"{SCRATCH}{uuid.uuid4().hex[:8]}"
    (found.folder / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    (found.folder / "trajectory").replace(scratch)
    shutil.rmtree(scratch)
    shutil.rmtree(found.folder / STATE, ignore_errors=True)


def refuse_at_work(study: Study) -> None:
    """Raise UserError while a running or killed Snakemake holds locks on files of the study."""
    own = f"{study.folder}/"
    if any(line.startswith(own) for path in LOCKS.glob("*.lock") for line in path.read_text().splitlines()):
        raise UserError(
            f"Snakemake is at work in {study.folder}, or was killed there: wait until it ends, or run it with `--unlock` first"
        )


def report(found: list[Trajectory], dry_run: bool = False) -> list[str]:
    """Return the lines of a table with a row for each trajectory, and of the sums."""
    if not found:
        return ["no trajectories are on disk"]
    gone = "would be deleted" if dry_run else "deleted"
    rows = [(one.name, f"kept: {one.kept}" if one.kept else gone, str(one.checkpoints), size(one.frees)) for one in found]
    freed = [one for one in found if not one.kept]
    sums = f"{len(freed)} trajectories {gone}, {size(sum(one.frees for one in freed))}; {len(found) - len(freed)} kept"
    return [*table(("", "", "checkpoints", "frees"), rows, texts=2), "", sums]


def size(bytes_: float) -> str:
    """Return bytes as text, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if bytes_ < 999.5 or unit == "TB":
            return f"{bytes_:.0f} {unit}" if unit == "B" or bytes_ >= 9.95 else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    raise AssertionError


def _found(name: str, folder: Path, kept: str) -> Trajectory:
    steps = [path for path in (folder / "trajectory").iterdir() if path.name.startswith("step-")]
    return Trajectory(name, folder, len(steps), _own_bytes(folder / "trajectory", folder / STATE), kept)


def _unmeasured(folder: Path, samplings: list[str]) -> str:
    """Return why a run's trajectory is still needed; empty if every checkpoint was sampled after the training, in each sampling."""
    if why := _unfinished(folder):
        return why
    saved = [checkpoint.step for checkpoint in read_manifest(folder / "manifest.json").checkpoints]
    return next(filter(None, (_unsampled(folder, again, set(saved[-1:] if again else saved)) for again in samplings)), "")


def _unsampled(folder: Path, again: str, wanted: set[int]) -> str:
    """Return why a run's trajectory is still needed by one sampling of these steps; empty if it is done."""
    sampled = folder / again / SAMPLED
    if not sampled.exists():
        return "its second sampling is not done yet" if again else "is not measured yet"
    if (steps := GENERATIONS.column(sampled, pl.col("step").unique())) is None:
        return "its responses cannot be read"
    if missing := wanted - set(steps):
        return f"{len(missing)} of {len(wanted)} checkpoints are not measured yet"
    # Snakemake samples again what is older than its manifest; until then these responses may be an earlier training's.
    if sampled.stat().st_mtime_ns < (folder / "manifest.json").stat().st_mtime_ns:
        return "its responses are older than its training"
    return ""


def _unfinished(folder: Path) -> str:
    if not (folder / "manifest.json").exists() or not (folder / "final").is_dir():
        return "its training is not finished"
    return "" if usable(read_manifest, folder / "manifest.json") else "its manifest cannot be read"


def _own_bytes(*folders: Path) -> int:
    """Return the bytes of files without a hard link outside the folders; the final model is a link to the last checkpoint."""
    stats = [path.stat(follow_symlinks=False) for folder in folders for path in _files(folder)]
    names = Counter((one.st_dev, one.st_ino) for one in stats)
    whole = {(one.st_dev, one.st_ino): one.st_size for one in stats if names[one.st_dev, one.st_ino] == one.st_nlink}
    return sum(whole.values())


def _files(folder: Path) -> Iterable[Path]:
    return (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
