"""Attention over a row of several documents, each of which attends only to itself."""

from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from valuedrift.errors import UserError

DOCUMENTS = "valuedrift_documents"


def document_attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None, **settings: Any
) -> tuple[torch.Tensor, None]:
    """Compute causal attention within each document of a single row, as an attention function of transformers.

    `query` is (1, heads, tokens, size), `key` and `value` may have fewer heads; `settings["document_lengths"]` holds the documents'
    lengths in tokens, and the result is (1, tokens, heads, size). No mask and no score between documents is computed: a block mask
    over the row would cost the square of its length. Raises UserError if a document is longer than a sliding window, and if the
    model changes attention scores in a way that is not supported here.
    """
    lengths: list[int] = settings.pop("document_lengths")
    window = settings.pop("sliding_window", None)
    if window is not None and max(lengths) > window:
        raise UserError(
            f"this model attends to {window} tokens back, and a conversation has {max(lengths)}: set sft's `attention: sdpa`"
        )
    for name, feature in (("s_aux", "attention sinks"), ("softcap", "capped attention scores")):
        if settings.get(name) is not None:
            raise UserError(f"this model has {feature}, which packed conversations do not support: set sft's `packing: false`")
    if query.is_cuda and (torch.is_autocast_enabled("cuda") or query.dtype in (torch.float16, torch.bfloat16)):
        return _variable_lengths(query, key, value, settings), None
    attended = [
        sdpa_attention_forward(module, *parts, None, **settings)[0]
        for parts in zip(*(torch.split(states, lengths, 2) for states in (query, key, value)), strict=True)
    ]
    return torch.cat(attended, 1), None


def _variable_lengths(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Compute all documents in one call of torch's own flash kernel, which takes half precision only."""
    if settings.get("dropout"):
        raise UserError("torch's flash kernel has no dropout, but this model's attention uses it: set sft's `attention: sdpa`")
    if torch.is_autocast_enabled("cuda"):  # rotary embeddings are applied in float32, and autocast does not cover this kernel
        query, key, value = (states.to(torch.get_autocast_dtype("cuda")) for states in (query, key, value))
    ends, longest = settings["cu_seq_lens_q"], settings["max_length_q"]
    attended: torch.Tensor = varlen_attn(  # type: ignore[assignment]  # one tensor, since no further output is requested
        query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1), ends, ends, longest, longest,
        scale=settings.get("scaling"), window_size=(-1, 0), enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return attended.unsqueeze(0)


# transformers makes no mask for an attention without a mask function of the same name, which is what this one needs.
AttentionInterface.register(DOCUMENTS, document_attention)
