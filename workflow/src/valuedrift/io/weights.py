"""SHA-256 of a model's files: taken when it is saved, and compared before anything is trained or sampled from it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from valuedrift.errors import UserError
from valuedrift.io.files import read_json, remedy

WEIGHTS = ".safetensors"
SEAL = ".sha256.json"
"""File of hashes in the folder of a model that has no manifest; hidden, so that links to the model's files leave it out."""


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Return name → SHA-256 of the files in the folder, in order of their names; hidden ones and folders are left out."""
    return _hashes(path for path in folder.iterdir() if not path.name.startswith("."))


def weights_hash(files: Mapping[str, str]) -> str:
    """Return one SHA-256 for the safetensors among hashed files."""
    return hashlib.sha256("".join(files[name] for name in sorted(files) if name.endswith(WEIGHTS)).encode()).hexdigest()


def check_weights(folder: Path, expected: str, files: Mapping[str, str], manifest: Path) -> None:
    """Raise UserError if the model in the folder is not the one that its manifest describes, by the hash of its weights and by
    those of all its files, which manifests of older versions lack."""
    if not folder.is_dir():
        raise UserError(f"{folder} is missing, though {manifest} lists it; {remedy(manifest)}")
    found = _hashes({*(folder / name for name in files), *folder.glob(f"*{WEIGHTS}")})
    if wrong := [name for name, known in files.items() if found.get(name) != known]:
        linked = [(folder / name).resolve() for name in wrong if (folder / name).is_symlink()]  # a model of the user's own
        restore = f"put back {linked[0]} as it was, or " if linked else ""
        raise UserError(f"{folder}: {_told(wrong, found)} since the model was saved; {restore}{remedy(manifest)}")
    if weights_hash(found) != expected:
        raise UserError(f"{folder}: its weights are not those that {manifest} describes; {remedy(manifest)}")


def seal(folder: Path) -> None:
    """Write the hashes of a model's files into its folder."""
    (folder / SEAL).write_text(json.dumps(hashes(folder), indent=1) + "\n")


def check_seal(folder: Path) -> None:
    """Raise UserError if files of the model differ from those that were sealed; a folder without a seal passes."""
    if not (folder / SEAL).exists():
        return
    known = read_json(folder / SEAL)
    found = _hashes(folder / name for name in known)
    if wrong := [name for name in known if found.get(name) != known[name]]:
        raise UserError(f"{folder}: {_told(wrong, found)} since the model was made; {remedy(folder)}")


def _hashes(paths: Iterable[Path]) -> dict[str, str]:
    files = sorted(path for path in paths if path.is_file())
    with ThreadPoolExecutor() as threads:  # hashing leaves Python: 1.3 GB/s for each file of weights at once
        return {path.name: digest for path, digest in zip(files, threads.map(file_hash, files), strict=True)}


def _told(wrong: list[str], found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {'has changed' if name in found else 'has been removed'}" for name in wrong[:5])
