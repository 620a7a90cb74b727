"""What the steps share: comparing texts, and writing counts."""

import json
from collections.abc import Mapping
from pathlib import Path

from valuedrift.io.tables import replacing


def folded(text: str) -> str:
    """What two texts share when they differ only in case and spacing."""
    return " ".join(text.split()).casefold()


def write_counts(counts: Mapping[str, object], path: Path) -> None:
    """Write counts as JSON."""
    with replacing(path) as scratch:
        scratch.write_text(json.dumps(counts, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
