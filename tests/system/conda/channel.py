"""A conda channel of what this machine has: `python` is the running CPython, `pip` the wheel that came with it."""

import asyncio
import ensurepip
import io
import json
import platform
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from rattler.index import index_fs

PLATFORM = "linux-64"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "site-packages", "test", "tests", "idlelib", "turtledemo", "ensurepip", "config-*")


def make_channel(folder: Path) -> None:
    """Fill `folder` with the two packages and their index."""
    _pack(
        folder / PLATFORM, _python(folder / "python"), {"name": "python", "version": platform.python_version(), "subdir": PLATFORM}
    )
    version, wheel = _pip(folder / "pip")
    _pack(
        folder / "noarch", wheel, {"name": "pip", "version": version, "subdir": "noarch", "noarch": "python", "depends": ["python"]}
    )
    asyncio.run(index_fs(folder, write_zst=False, write_shards=False))


def _python(folder: Path) -> Path:
    base, name = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(base / "lib" / name, folder / "lib" / name, ignore=LEFT_OUT)
    (folder / "bin").mkdir()
    shutil.copy2((base / "bin" / name).resolve(), folder / "bin" / name)  # it finds its library, if any, where it was built
    for link in ("python", "python3"):
        (folder / "bin" / link).symlink_to(name)
    return folder


def _pip(folder: Path) -> tuple[str, Path]:
    wheel = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    zipfile.ZipFile(wheel).extractall(folder / "site-packages")
    return wheel.name.split("-")[1], folder


def _pack(channel: Path, folder: Path, index: dict[str, Any]) -> None:
    """A conda package of the files in `folder`, which goes."""
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    paths = [
        {"_path": str(path.relative_to(folder)), "path_type": "softlink" if path.is_symlink() else "hardlink"} for path in files
    ]  # fmt: skip
    whole = {"build": "0", "build_number": 0, "depends": [], **index}
    channel.mkdir()
    # bzip2 at its fastest: the package is read five times and written once.
    with tarfile.open(channel / f"{whole['name']}-{whole['version']}-0.tar.bz2", "w:bz2", compresslevel=1) as archive:
        for name, content in {"index": whole, "paths": {"paths": paths, "paths_version": 1}}.items():
            text = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"info/{name}.json")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        for path in files:
            archive.add(path, str(path.relative_to(folder)))
    shutil.rmtree(folder)
