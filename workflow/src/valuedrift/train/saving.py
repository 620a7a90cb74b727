"""How a model that is trained gets to disk."""

from pathlib import Path
from typing import Any

from valuedrift.canary import Canary, canary
from valuedrift.train.model import merged


def save_model(model: Any, tokenizer: Any, folder: Path) -> Canary | None:
    """Save weights in safetensors, adapters merged, and the tokenizer; returns the checkpoint's fingerprint."""
    whole = merged(model)
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return canary(whole, tokenizer)
