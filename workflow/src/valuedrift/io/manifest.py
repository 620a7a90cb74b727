"""A run's manifest.json: what was trained, from what, and its checkpoints; written last, so that it stands for a complete run."""

from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from valuedrift.errors import UserError
from valuedrift.io.files import command_for, remedy
from valuedrift.io.weights import check_weights


class Checkpoint(BaseModel):
    """A saved checkpoint of a manifest."""

    model_config = ConfigDict(extra="ignore")

    step: NonNegativeInt
    path: str
    """Its folder, relative to the manifest's."""
    hash: str
    """SHA-256 of its weights."""
    files: dict[str, str] = {}
    """SHA-256 of each of its files; none in manifests of older versions."""
    chat: bool | None = None
    """Whether it has a chat template, where not all of a run's have the same."""
    fingerprint: list[tuple[list[int], list[int]]] | None = Field(None, validation_alias=AliasChoices("fingerprint", "canary"))
    """As in lm/fingerprint.py; its name in manifests of older versions was `canary`."""


class Manifest(BaseModel):
    """A manifest's keys that steps read; others are ignored."""

    model_config = ConfigDict(extra="ignore")

    run: str
    algorithm: str
    parent: str | None
    dataset: str | None
    data_hash: str | None
    rows: NonNegativeInt | None
    seed: int
    config: dict[str, Any] | None
    chat: bool
    total_steps: NonNegativeInt
    checkpoints: list[Checkpoint] = Field(min_length=1)
    versions: dict[str, str]

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        steps = [checkpoint.step for checkpoint in self.checkpoints]
        if steps != sorted(set(steps)) or steps[-1] > self.total_steps:
            raise ValueError(f"checkpoints at the steps {steps} of {self.total_steps}")
        return self

    @property
    def measured_steps(self) -> list[int]:
        """The steps with responses: those of the checkpoints, after step 0, which is the parent's last where there is one."""
        return sorted({*([0] if self.parent else []), *(checkpoint.step for checkpoint in self.checkpoints)})


def read_manifest(path: Path) -> Manifest:
    """Return the manifest; raises UserError, with the command that makes it, if it is missing, broken or impossible."""
    if not path.exists():
        raise UserError(f"{path} is missing. Make it with `{command_for(path)}`")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ") if first else str(error)
        raise UserError(f"{path} is not a manifest of a run ({reason}); {remedy(path)}") from error


def checked(manifest: Path, checkpoint: Checkpoint, folder: str | None = None) -> Path:
    """Return the folder of a checkpoint, or `folder` next to the manifest, which holds the same files.

    Raises UserError if it is missing or if its files are not those that the manifest describes.
    """
    found = manifest.parent / (folder or checkpoint.path)
    check_weights(found, checkpoint.hash, checkpoint.files, manifest)
    return found
