"""The provenance of each run, from its manifest."""

from pathlib import Path

from valuedrift.io.manifest import Manifest, read_manifest

SHORT = 12
"""Digits of a hash that are printed, enough to distinguish a study's files."""


def digits(digest: str | None) -> str | None:
    """Return the first SHORT digits of a hash."""
    return digest and digest[:SHORT]


def read_manifests(paths: list[Path]) -> dict[str, Manifest]:
    """Return run → its manifest; raises UserError for a file that is not a manifest."""
    return {manifest.run: manifest for manifest in map(read_manifest, paths)}


def version_sets(manifests: dict[str, Manifest]) -> list[tuple[str, list[str]]]:
    """Return each set of library versions that occurs, as one line, with the runs trained with it."""
    found: dict[str, list[str]] = {}
    for run, manifest in manifests.items():
        line = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())) or "none recorded"
        found.setdefault(line, []).append(run)
    return list(found.items())
