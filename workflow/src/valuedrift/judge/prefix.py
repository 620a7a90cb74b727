"""What all prompts begin with, run through the model once: its keys and values serve every batch."""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class _Held(DynamicLayer):  # type: ignore[misc]
    """Keys and values of the prefix, one row for the whole batch; those that come after it are used and not kept, so that no batch
    holds more of them than one layer's."""

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return _after(self.keys, keys), _after(self.values, values)


def common_prefix(tokens: list[list[int]]) -> list[int]:
    """The ids that all begin with, save the last of the shortest: each prompt has one left at which its answer is read."""
    first, last = min(tokens), max(tokens)  # in the order of ids: between them no prompt begins otherwise
    longest = min(map(len, tokens)) - 1
    return first[: next((i for i in range(longest) if first[i] != last[i]), longest)]


@torch.inference_mode()
def hold(model: Any, prefix: list[int]) -> DynamicCache | None:
    """The prefix's cache, of which any batch may begin; None where the model keeps none, or one with windows or states, in which
    padding between prefix and rest would count."""
    cache = getattr(model(torch.tensor([prefix], device=model.device), use_cache=True, logits_to_keep=1), "past_key_values", None)
    if not isinstance(cache, DynamicCache) or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [_Held(layer) for layer in cache.layers]
    return cache


def _after(held: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    return torch.cat([held.expand(len(new), -1, -1, -1), new], -2)
