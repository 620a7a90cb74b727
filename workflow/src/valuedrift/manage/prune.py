"""Deletes trajectories that are measured: they are most of a study's disk, and nothing but sampling reads them.

A run's folder keeps its final model, its manifest and every table, and gets `pruned.json`, which says what was there. What needs a
deleted trajectory after all must train it anew (`retraining.py`).
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.load import read_files
from valuedrift.errors import UserError
from valuedrift.study.load import load_study
from valuedrift.study.study import Study

RECORD, SCRATCH, SAMPLED = "pruned.json", ".pruned-", "generations.parquet"
STALE = "its responses are not of this config: run the study first"
LOCKS = Path(".snakemake/locks")
HEADINGS = ("", "checkpoints", "frees", "")


@dataclass(frozen=True)
class Trajectory:
    """The checkpoints of a run or of a reward model, as they lie on disk now."""

    name: str
    folder: Path
    """Of the run."""
    checkpoints: int
    frees: int
    """Bytes that deleting it frees: without what the final model shares with it."""
    kept: str
    """Why it stays; empty where it may go."""


def run(*, config: list[Path], dry_run: bool = False) -> None:
    """Delete the trajectories of the study's runs that are measured, and those of its reward models, and say what stays and why.

    Final models stay, and all that was not trained here. `--dry-run` only says what would go.
    """
    study = load_study(read_files(config), files=False)
    refuse_at_work(study)
    found = list(trajectories(study))
    again = sampled_again(config, [one.folder / SAMPLED for one in found if not one.kept and (one.folder / SAMPLED).exists()])
    found = [replace(one, kept=STALE) if one.folder / SAMPLED in again and not one.kept else one for one in found]
    if not dry_run:
        for left in list(Path(study.folder).rglob(f"{SCRATCH}*")):  # of a deletion that was cut short
            shutil.rmtree(left)
        for one in found:
            if not one.kept:
                prune(one)
    print("\n".join(report(found, dry_run)))


def trajectories(study: Study) -> Iterator[Trajectory]:
    """What there is of each trained or external run and of each reward model; those that are gone already are left out."""
    for one in study.runs.values():
        folder = Path(study.folder_of(one.id))
        if one.algorithm != "base" and (folder / "trajectory").exists():
            own = "was trained elsewhere" if one.training is None else _unmeasured(folder)
            yield _found(one.id, folder, own)
    for reward in study.rewards:
        folder = Path(study.folder, "rewards", reward)
        if (folder / "trajectory").exists():
            yield _found(f"reward model {reward}", folder, _unfinished(folder))


def sampled_again(config: list[Path], sampled: list[Path]) -> set[Path]:
    """Those of the tables of responses that Snakemake would make anew with these config files, and needs trajectories for.

    Raises UserError where Snakemake cannot tell, as outside the repository's top folder.
    """
    if not sampled:
        return set()
    # As in the profiles: an edited environment alone samples nothing anew.
    command = ["snakemake", *map(str, sampled), "--summary", "--rerun-triggers", "mtime", "params", "input", "code"]
    asked = subprocess.run(
        [sys.executable, "-m", *command, "--configfile", *map(str, config)], check=False, text=True, capture_output=True
    )
    if asked.returncode:
        raise UserError(f"Snakemake does not tell whether the responses are of this config: {asked.stderr.strip()}")
    plans = {Path(row[0]): row[-1] for row in (line.split("\t") for line in asked.stdout.splitlines())}
    return {path for path in sampled if plans.get(path) != "no update"}


def prune(found: Trajectory) -> None:
    """Delete one trajectory and leave a record; killed in between, it leaves a whole trajectory or none."""
    manifest = _manifest(found.folder)
    record = {
        "steps": [checkpoint["step"] for checkpoint in manifest["checkpoints"]],
        "bytes": found.frees,
        "hash": manifest["checkpoints"][-1]["hash"],
    }
    scratch = found.folder / f"{SCRATCH}{uuid.uuid4().hex[:8]}"
    (found.folder / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    (found.folder / "trajectory").replace(scratch)
    shutil.rmtree(scratch)


def refuse_at_work(study: Study) -> None:
    """Raises UserError while Snakemake holds files of the study, or where a Snakemake that was killed still does."""
    own = f"{study.folder}/"
    if any(line.startswith(own) for path in LOCKS.glob("*.lock") for line in path.read_text().splitlines()):
        raise UserError(
            f"Snakemake is at work in {study.folder}, or was killed there: wait for its end, or run it with `--unlock` first"
        )


def report(found: list[Trajectory], dry_run: bool = False) -> list[str]:
    """A row for each trajectory, and the sums."""
    if not found:
        return ["no trajectories lie here"]
    gone = "would be deleted" if dry_run else "deleted"
    rows = [HEADINGS]
    rows += [(one.name, str(one.checkpoints), size(one.frees), f"kept: {one.kept}" if one.kept else gone) for one in found]
    name, count, frees = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{row[0]:{name}}  {row[1]:>{count}}  {row[2]:>{frees}}  {row[3]}".rstrip() for row in rows]
    freed = [one for one in found if not one.kept]
    sums = f"{len(freed)} trajectories {gone}, {size(sum(one.frees for one in freed))}; {len(found) - len(freed)} kept"
    return [*lines, "", sums]


def size(bytes_: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if bytes_ < 999.5 or unit == "TB":
            return f"{bytes_:.0f} {unit}" if unit == "B" or bytes_ >= 9.95 else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    raise AssertionError


def _found(name: str, folder: Path, kept: str) -> Trajectory:
    steps = [path for path in (folder / "trajectory").iterdir() if path.name.startswith("step-")]
    return Trajectory(name, folder, len(steps), _own_bytes(folder / "trajectory"), kept)


def _unmeasured(folder: Path) -> str:
    """Why a run's trajectory is still needed; empty where every checkpoint is sampled, and after the training."""
    if why := _unfinished(folder):
        return why
    sampled = folder / SAMPLED
    if not sampled.exists():
        return "is not measured yet"
    wanted = {checkpoint["step"] for checkpoint in _manifest(folder)["checkpoints"]}
    if missing := wanted - set(pl.scan_parquet(sampled).select("step").unique().collect()["step"]):
        return f"{len(missing)} of {len(wanted)} checkpoints are not measured yet"
    # Snakemake samples again what is older than its manifest; until then these responses may be an earlier training's.
    if sampled.stat().st_mtime_ns < (folder / "manifest.json").stat().st_mtime_ns:
        return "its responses are older than its training"
    return ""


def _unfinished(folder: Path) -> str:
    whole = (folder / "manifest.json").exists() and (folder / "final").is_dir()
    return "" if whole else "its training is not finished"


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def _own_bytes(folder: Path) -> int:
    """Bytes of the files that have no name outside the folder; the final model is the last checkpoint under a second name."""
    stats = [path.stat(follow_symlinks=False) for path in _files(folder)]
    names = Counter((one.st_dev, one.st_ino) for one in stats)
    whole = {(one.st_dev, one.st_ino): one.st_size for one in stats if names[one.st_dev, one.st_ino] == one.st_nlink}
    return sum(whole.values())


def _files(folder: Path) -> Iterable[Path]:
    return (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
