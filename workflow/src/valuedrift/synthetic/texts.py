"""Shared by the steps: comparing texts, and writing counts."""

import json
from collections.abc import Mapping
from pathlib import Path

from valuedrift.io.files import replacing


def folded(text: str) -> str:
    """Return the text without case and extra whitespace; equal for texts that differ in nothing else."""
    return " ".join(text.split()).casefold()


def write_counts(counts: Mapping[str, object], path: Path) -> None:
    """Write counts as JSON."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(counts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
