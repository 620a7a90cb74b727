"""Manifests as trainings write them, for tests of what reads them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def manifest(run: str, steps: Iterable[int], **changes: Any) -> dict[str, Any]:
    """Return the manifest of a run with checkpoints at the steps, with some of its keys changed."""
    checkpoints = [{"step": step, "path": f"trajectory/step-{step}", "hash": f"hash {step}"} for step in steps]
    return {
        "run": run, "algorithm": "sft", "parent": "mini/base", "parent_hash": "", "dataset": "alpaca", "data_hash": "", "rows": 9,
        "seed": 0, "config": {}, "chat": False, "total_steps": checkpoints[-1]["step"], "checkpoints": checkpoints, "versions": {},
    } | changes  # fmt: skip


def write_manifest_of(folder: Path, steps: Iterable[int], **of_checkpoints: Any) -> Path:
    """Write the manifest of the run in the folder, with the hashes of the checkpoints that are there; return its path."""
    from valuedrift.train.trajectory import described

    written = manifest(folder.name, steps)
    for checkpoint in written["checkpoints"]:
        checkpoint.update(described(folder / checkpoint["path"]) | of_checkpoints)
    path = folder / "manifest.json"
    path.write_text(json.dumps(written))
    return path
