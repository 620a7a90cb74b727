"""Compares checkpoints by everything but the values of their weights, to decide whether an engine can swap one for another."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valuedrift.generate.tokenization import Tokenization
from valuedrift.lm.loading import loading
from valuedrift.lm.safetensors_header import Tensor, model_tensors

VOLATILE = {
    "transformers_version",
    "_name_or_path",
    "dtype",
    "torch_dtype",
    "use_cache",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
}
"""Keys of config.json that do not shape the model: each tensor states its own type, and `Tokenization` the end tokens."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's architecture (config.json without `VOLATILE`), tensors, vocabulary and end tokens."""

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    vocabulary: str
    """SHA-256 of the tokens and their ids."""
    ends: frozenset[int]

    @classmethod
    def read(cls, folder: Path, tokenization: Tokenization) -> "Checkpoint":
        """Read the checkpoint in the folder, of the weights only the headers; raises UserError if these are damaged or missing."""
        with loading("the checkpoint", folder):
            config = json.loads((folder / "config.json").read_text())
        tensors = model_tensors(folder)
        if config.get("tie_word_embeddings"):
            tensors.pop("lm_head.weight", None)  # a copy of the embedding, which some versions save and others do not
        vocabulary = json.dumps(sorted(tokenization.tokenizer.get_vocab().items())).encode()
        architecture = {key: value for key, value in config.items() if key not in VOLATILE}
        return cls(folder, architecture, tensors, hashlib.sha256(vocabulary).hexdigest(), frozenset(tokenization.ends))


def differences(a: Checkpoint, b: Checkpoint) -> str | None:
    """Return why an engine that holds `a` cannot swap in `b`, or None if it can."""
    keys = sorted(key for key in a.config.keys() | b.config.keys() if a.config.get(key) != b.config.get(key))
    if keys:
        return f"other {keys[0]}: {b.config.get(keys[0])}, not {a.config.get(keys[0])}"
    if a.vocabulary != b.vocabulary:
        return "other vocabulary"
    if a.ends != b.ends:
        return f"other end tokens: {sorted(b.ends)}, not {sorted(a.ends)}"
    if damaged := damage(a, b):
        return damaged
    for name, (_, dtype) in b.tensors.items():
        if name not in a.tensors:
            return f"has the additional tensor {name}"
        if a.tensors[name][1] != dtype:
            return f"type of {name} is {dtype}, not {a.tensors[name][1]}"
    return None


def damage(a: Checkpoint, b: Checkpoint) -> str | None:
    """Return how the tensors of `b` contradict its config, judged by those of `a`; None if they do not or the configs differ."""
    if a.config != b.config:
        return None
    for name, (shape, _) in a.tensors.items():
        if name not in b.tensors:
            return f"lacks the tensor {name}"
        if b.tensors[name][0] != shape:
            return f"shape of {name} is {b.tensors[name][0]}, not {shape}"
    return None
