"""Checks, before any job is submitted, that every model and dataset of a study can be downloaded."""

import json
from pathlib import Path

from valuedrift.config.hub import AccessJob, HubItem
from valuedrift.errors import UserError
from valuedrift.hub.repository import HubUnreachable, Kind, look_up
from valuedrift.io.files import replacing


def run(*, config: AccessJob, output: Path) -> None:
    """Look up every item on the hub and write its number of files and bytes; raise one UserError that lists all faults."""
    found: dict[str, dict[str, dict[str, int]]] = {"model": {}, "dataset": {}}
    faults: list[str] = []
    items: dict[Kind, list[HubItem]] = {"model": config.models, "dataset": config.datasets}
    for kind, wanted in items.items():
        for item in wanted:
            try:
                files = look_up(kind, item)
            except HubUnreachable:
                raise
            except UserError as error:
                faults.append(str(error))
            else:
                found[kind][f"{item.name}@{item.revision}"] = {
                    "files": len(files),
                    "bytes": sum(file.size for file in files.values()),
                }
    if faults:
        raise UserError(
            "\n".join([f"{len(faults)} of {sum(map(len, items.values()))} cannot be downloaded from the hub:", *faults])
        )
    with replacing(output) as scratch:
        scratch.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
