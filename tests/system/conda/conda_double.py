"""A double of conda: the commands that Snakemake 9.27 calls. py-rattler solves and links the conda lines, pip installs the rest.

It shows that Snakemake builds the envs and runs rules in them, not that conda itself or conda-forge can.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import rattler
import yaml
from rattler.channel import ChannelConfig

ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'


def install_double(folder: Path) -> Path:
    """Lay `conda` and `activate` under `folder`; returns the folder for PATH."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    (binaries / "conda").write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    (binaries / "conda").chmod(0o755)
    (binaries / "activate").write_text(ACTIVATE)
    return binaries


async def create(file: Path, prefix: Path) -> None:
    """`conda env create`: the conda lines, then pip's with pip's own solver, in the env file's folder, as conda does it."""
    asked = yaml.safe_load(file.read_text())
    *lines, pip = asked["dependencies"]
    # conda's own setting: where channels named without an address lie.
    config = ChannelConfig(os.environ["CONDA_CHANNEL_ALIAS"])
    channels = [rattler.Channel(name, config) for name in asked["channels"] if name != "nodefaults"]
    records = await rattler.solve(channels, lines, virtual_packages=rattler.VirtualPackage.detect())
    await rattler.install(records, prefix, cache_dir=f"{file}.packages", show_progress=False)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=file.parent) as requirements:
        requirements.write("\n".join(pip["pip"]))
        requirements.flush()
        command = [prefix / "bin" / "python", "-m", "pip", "install", "-U", "-r", requirements.name, "--exists-action=b"]
        subprocess.run(command, cwd=file.parent, check=True)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": os.environ["CONDA_DOUBLE"], "platform": "linux-64"}))
        case ["--version"]:
            print("conda 24.7.1 (a double)")
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", "--quiet", "--no-default-packages", "--file", file, "--prefix", prefix]:
            asyncio.run(create(Path(file), Path(prefix)))
        case ["clean", "-y", "--tarballs"]:
            pass  # what was unpacked for an env lies next to it, and is removed with it
        case _:
            sys.exit(f"the double of conda does not know {' '.join(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
