"""A copy of the repository in which tests run whole studies, and which they may edit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
SMALL = yaml.safe_load((Path(__file__).parent / "system" / "workflow" / "small.yaml").read_text())
COPIED = ("Snakefile", "workflow", "config", "envs", "profiles", "slurm")


class Clone:
    """A copy of the repository and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, config: dict[str, Any], *arguments: str) -> list[str]:
        path = self.folder / "study.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        # Targets go before --configfile, which takes all that follows it.
        return [
            sys.executable,
            "-m",
            *("snakemake", "--profile", "profiles/local", "--cores", "2"),
            *arguments,
            "--configfile",
            path.name,
        ]

    @property
    def environment(self) -> dict[str, str]:
        # The copy's own package, not the installed one, and its tests' edits of it.
        return {**os.environ, "PYTHONPATH": str(self.folder / "workflow" / "src"), "OMP_NUM_THREADS": "1"}

    def run(self, config: dict[str, Any], *arguments: str, check: bool = True) -> str:
        """Standard output and error of Snakemake; asserts that it succeeded."""
        done = subprocess.run(
            self.command(config, *arguments), cwd=self.folder, env=self.environment, text=True, check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def planned(self, config: dict[str, Any]) -> dict[str, int]:
        """Rule → number of jobs that a dry run would do; nothing where all is up to date."""
        output = self.run(config, "--dry-run", "--quiet", "rules")
        counts = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
        assert counts or "Nothing to be done" in output, output[-3000:]
        return {rule: int(count) for rule, count in counts.items() if rule not in ("total", "all")}


def copy_repository(folder: Path) -> Clone:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / name)
    return Clone(folder)
