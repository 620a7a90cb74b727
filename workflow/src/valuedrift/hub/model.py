"""Downloads a model of the hub as a folder: config, tokenizer and safetensors."""

from pathlib import Path

from valuedrift.config.hub import HubItem
from valuedrift.hub.repository import download


def run(*, config: HubItem, output: Path) -> None:
    """Download the model at its commit; an interrupted download continues."""
    download("model", config, output)
