"""How many weights a model has: read off its files, told by the config, or guessed from its name. No torch."""

import json
import math
import re
import struct
from pathlib import Path

from valuedrift.config.miniature import TinyModelConfig
from valuedrift.sizing.counts import ASSUMED, Amount

GUESS = Amount(7e9, ASSUMED)
"""A model of which nothing is known."""
VOCABULARY = 150_000
"""Llama 3 has 128,256, Qwen3 151,936."""
IN_NAME = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(b|m)(?![a-z])")
KNOWN = {"all-minilm-l6-v2": 22.7e6, "all-mpnet-base-v2": 109.5e6}
"""Sentence encoders, whose names hold no size."""


def in_folder(folder: Path) -> Amount | None:
    """Weights in the safetensors files of a folder, from their headers; None where there are none.

    A header is JSON behind its length in 8 bytes, little-endian (safetensors' format), with the shape of every tensor. A file that
    is still being written has none; then nothing is known.
    """
    try:
        shapes = [tensor["shape"] for file in sorted(folder.glob("*.safetensors")) for tensor in _header(file).values()]
    except (OSError, ValueError, struct.error):
        return None
    return Amount(sum(map(math.prod, shapes))) if shapes else None


def in_name(name: str) -> Amount:
    """What a name such as Qwen2.5-72B-Instruct tells."""
    last = name.rpartition("/")[2].lower()
    if last in KNOWN:
        return Amount(KNOWN[last], ASSUMED)
    found = IN_NAME.findall(last.replace("-", " ").replace("_", " "))
    return Amount(float(found[-1][0]) * {"b": 1e9, "m": 1e6}[found[-1][1]], ASSUMED) if found else GUESS


def of_tiny(config: TinyModelConfig, vocabulary: int) -> Amount:
    """A model of the miniature: tied embeddings, and in a layer four matrices of attention and three of a gated MLP, four times as
    wide."""
    return Amount(config.hidden * vocabulary + config.layers * 16 * config.hidden**2, ASSUMED)


def vocabulary(folder: Path) -> int:
    """Tokens that the model of a folder knows; a common number where its config is not here."""
    config = folder / "config.json"
    return int(json.loads(config.read_text()).get("vocab_size") or VOCABULARY) if config.is_file() else VOCABULARY


def _header(file: Path) -> dict[str, dict[str, list[int]]]:
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header: dict[str, dict[str, list[int]]] = json.loads(opened.read(length))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}
