"""Downloads a dataset of the hub as a folder: all of its files."""

from pathlib import Path

from valuedrift.config.hub import HubItem
from valuedrift.hub.repository import download


def run(*, config: HubItem, output: Path) -> None:
    """Download the dataset at its commit; an interrupted download continues."""
    download("dataset", config, output)
