"""Where each run's numbers come from, as its manifest tells it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from valuedrift.errors import UserError

SHORT = 12
"""Digits of a hash that are shown: enough to tell a study's files apart."""


class Checkpoint(BaseModel):
    """A saved checkpoint: optimizer step and hash of the weights."""

    step: int
    hash: str


class Manifest(BaseModel):
    """What the report shows of the manifest.json beside a run's checkpoints; further keys are no concern of it."""

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
        """Hash of the last checkpoint's weights, short."""
        return max(self.checkpoints, key=lambda c: c.step).hash[:SHORT] if self.checkpoints else None

    @property
    def data(self) -> str | None:
        """Hash of the training data, short."""
        return self.data_hash[:SHORT] if self.data_hash else None


def read_manifests(paths: list[Path]) -> dict[str, Manifest]:
    """Run → its manifest; raises UserError for a file that is none."""
    manifests = {}
    for path in paths:
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UserError(f"{path} is no manifest of a run: {error}; delete the run's folder and train again") from error
        manifests[manifest.run] = manifest
    return manifests


def version_sets(manifests: dict[str, Manifest]) -> list[tuple[str, list[str]]]:
    """Each set of library versions that occurs, as one line, with the runs trained by it."""
    found: dict[str, list[str]] = {}
    for run, manifest in manifests.items():
        line = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())) or "none recorded"
        found.setdefault(line, []).append(run)
    return list(found.items())
