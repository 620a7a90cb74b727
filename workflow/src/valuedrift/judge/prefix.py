"""The prefix that all prompts share: it runs through the model once, and every batch reuses its keys and values."""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class _PrefixLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values of the prefix, a single row that is expanded to the batch.

    Those of the tokens behind the prefix are used and not stored, so a batch never holds more of them than one layer's.
    """

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the keys and values of the prefix followed by the new ones, both (batch, heads, tokens, head size)."""
        return _append(self.keys, keys), _append(self.values, values)


def common_prefix(tokens: list[list[int]]) -> list[int]:
    """Return the token ids that all prompts start with, without the last token of the shortest prompt.

    So each prompt has at least one token left, at which its answer is read.
    """
    first, last = min(tokens), max(tokens)  # lexicographic: every prompt between the two shares their common prefix
    longest = min(map(len, tokens)) - 1
    return first[: next((i for i in range(longest) if first[i] != last[i]), longest)]


@torch.inference_mode()
def prefix_cache(model: Any, prefix: list[int]) -> DynamicCache | None:
    """Return the key-value cache of the prefix (token ids), which batches of any size can continue.

    None if the model has no such cache, or one with sliding windows or recurrent states: there the padding between the prefix and
    the rest of a prompt would change the result.
    """
    cache = getattr(model(torch.tensor([prefix], device=model.device), use_cache=True, logits_to_keep=1), "past_key_values", None)
    if not isinstance(cache, DynamicCache) or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [_PrefixLayer(layer) for layer in cache.layers]
    return cache


def _append(prefix: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    return torch.cat([prefix.expand(len(new), -1, -1, -1), new], -2)
