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
    """A copy of the repository and its results, whose commands are run by the given interpreter."""

    def __init__(self, folder: Path, python: Path = Path(sys.executable)) -> None:
        self.folder = folder
        self.python = python

    def write(self, config: dict[str, Any]) -> str:
        """Write the study's config; return the file's name in the clone."""
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return "study.yaml"

    def command(self, config: dict[str, Any], *arguments: str) -> list[str]:
        # Targets go before --configfile, which takes all that follows it.
        options = ("--profile", "profiles/local", "--cores", "2", *arguments, "--configfile", self.write(config))
        return [str(self.python), "-m", "snakemake", *options]

    @property
    def environment(self) -> dict[str, str]:
        # The copy's own package, not the installed one, and its tests' edits of it.
        return {**os.environ, "PYTHONPATH": str(self.folder / "workflow" / "src"), "OMP_NUM_THREADS": "1"}

    def run(self, config: dict[str, Any], *arguments: str, check: bool = True) -> str:
        """Return standard output and error of Snakemake; assert that it succeeded."""
        return self._output(self.command(config, *arguments), check, subprocess.STDOUT)

    def valuedrift(self, command: str, config: dict[str, Any], *arguments: str) -> str:
        """Return standard output of `python -m valuedrift <command>` for the study; assert that it succeeded."""
        words = [str(self.python), "-m", "valuedrift", command, "--config", self.write(config), *arguments]
        return self._output(words, True, None)

    def _output(self, command: list[str], check: bool, stderr: int | None) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, check=False, stdout=subprocess.PIPE, stderr=stderr
        )
        assert not check or done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def planned(self, config: dict[str, Any], *targets: str) -> dict[str, int]:
        """Rule -> number of jobs that a dry run would do; nothing where all is up to date."""
        output = self.run(config, *targets, "--dry-run", "--quiet", "rules")
        counts = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
        assert counts or "Nothing to be done" in output, output[-3000:]
        return {rule: int(count) for rule, count in counts.items() if rule not in ("total", "all")}

    def copy(self, folder: Path) -> "Clone":
        """Return a copy in which nothing is to be done that is not here: the times of all files are kept.

        Weights are linked, since steps never write into a file of weights that is there; all else is copied.
        """

        def link_weights(source: str, target: str) -> None:
            (os.link if source.endswith(".safetensors") else shutil.copy2)(source, target)

        shutil.copytree(self.folder, folder, symlinks=True, copy_function=link_weights)
        return Clone(folder, self.python)


def copy_repository(folder: Path, python: Path = Path(sys.executable)) -> Clone:
    """Return a copy of the repository without results in the folder."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / name)
    return Clone(folder, python)
