"""Repositories of the hub, each pinned to a commit."""

import re
from typing import Annotated

from pydantic import AfterValidator

from valuedrift.config.base import Closed


def _commit(revision: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ValueError(
            f"revision `{revision}` is not a full commit: give all 40 hexadecimal digits, as shown under `History` on the "
            "repository's page"
        )
    return revision


Commit = Annotated[str, AfterValidator(_commit)]
"""A full commit: a branch or tag can move, and the same config would then give another study."""


# The configs of single steps; a study lists its repositories under `models`, `datasets` and other keys.


class HubItem(Closed):
    name: str
    revision: Commit


class AccessJob(Closed):
    models: list[HubItem]
    datasets: list[HubItem]
