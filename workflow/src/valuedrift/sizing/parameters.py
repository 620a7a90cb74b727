"""Find how many parameters a model has: from its files, from the config, or from its name. Imports no torch."""

import json
import math
import re
from pathlib import Path

from valuedrift.config.miniature import TinyModelConfig
from valuedrift.lm.safetensors_header import UNREADABLE, tensors
from valuedrift.sizing.amount import ASSUMED, Amount

DEFAULT_PARAMETERS = Amount(7e9, ASSUMED)
"""Of a model of which nothing is known."""
VOCABULARY = 150_000
"""Tokens where a model's config is not on disk; Llama 3 has 128,256, Qwen3 151,936."""
SIZE_IN_NAME = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(b|m)(?![a-z])")
ENCODER_PARAMETERS = {"all-minilm-l6-v2": 22.7e6, "all-mpnet-base-v2": 109.5e6}
"""Sentence encoders, whose names hold no size."""


def in_folder(folder: Path) -> Amount | None:
    """Return the parameters in a folder's safetensors files, by their headers; None where there are none.

    A file that is still being written has no header; then nothing is known.
    """
    try:
        shapes = [shape for file in sorted(folder.glob("*.safetensors")) for shape, _ in tensors(file).values()]
    except UNREADABLE:
        return None
    return Amount(sum(map(math.prod, shapes))) if shapes else None


def in_name(name: str) -> Amount:
    """Return the size that a name such as Qwen2.5-72B-Instruct holds, or 7 billion."""
    last = name.rpartition("/")[2].lower()
    if last in ENCODER_PARAMETERS:
        return Amount(ENCODER_PARAMETERS[last], ASSUMED)
    found = SIZE_IN_NAME.findall(last.replace("-", " ").replace("_", " "))
    return Amount(float(found[-1][0]) * {"b": 1e9, "m": 1e6}[found[-1][1]], ASSUMED) if found else DEFAULT_PARAMETERS


def of_tiny(config: TinyModelConfig, vocabulary: int) -> Amount:
    """Return the parameters of a model of the miniature, without its norms.

    Its embeddings are tied; a layer has four matrices of attention and three of a gated MLP, four times as wide.
    """
    return Amount(config.hidden * vocabulary + config.layers * 16 * config.hidden**2, ASSUMED)


def vocabulary(folder: Path) -> int | None:
    """Return the size of the vocabulary that the config of a model's folder gives; None where it gives none."""
    config = folder / "config.json"
    try:
        return json.loads(config.read_bytes()).get("vocab_size") if config.is_file() else None
    except ValueError:  # what loads the model says so
        return None
