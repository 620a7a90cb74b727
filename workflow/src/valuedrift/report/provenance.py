"""The provenance of each run, from its manifest."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from valuedrift.errors import UserError

SHORT = 12
"""Digits of a hash that are printed, enough to distinguish a study's files."""


class Checkpoint(BaseModel):
    """A saved checkpoint: optimizer step and hash of its weights."""

    step: int
    hash: str


class Manifest(BaseModel):
    """The keys of a run's manifest.json that the report prints; others are ignored."""

    model_config = ConfigDict(extra="ignore")

    run: str
    algorithm: str
    parent: str | None
    dataset: str | None
    data_hash: str | None
    rows: int | None
    seed: int
    config: dict[str, Any] | None
    total_steps: int
    checkpoints: list[Checkpoint]
    versions: dict[str, str]

    @property
    def weights(self) -> str | None:
        """First SHORT digits of the hash of the last checkpoint's weights."""
        return max(self.checkpoints, key=lambda c: c.step).hash[:SHORT] if self.checkpoints else None

    @property
    def data(self) -> str | None:
        """First SHORT digits of the hash of the training data."""
        return self.data_hash[:SHORT] if self.data_hash else None


def read_manifests(paths: list[Path]) -> dict[str, Manifest]:
    """Return run → its manifest; raises UserError for a file that is not a manifest."""
    manifests = {}
    for path in paths:
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UserError(
                f"{path} is not a manifest of a run ({error}); write it again with `snakemake --force {path}`"
            ) from error
        manifests[manifest.run] = manifest
    return manifests


def version_sets(manifests: dict[str, Manifest]) -> list[tuple[str, list[str]]]:
    """Return each set of library versions that occurs, as one line, with the runs trained with it."""
    found: dict[str, list[str]] = {}
    for run, manifest in manifests.items():
        line = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())) or "none recorded"
        found.setdefault(line, []).append(run)
    return list(found.items())
