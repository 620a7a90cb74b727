"""Attention over a row of several documents, of which none sees another."""

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
    """Causal attention within each document of a single row, as an attention function of transformers.

    `query` is (1, heads, tokens, size), `key` and `value` may have fewer heads; `settings["document_lengths"]` holds the documents'
    lengths in tokens, and the result is (1, tokens, heads, size). Neither a mask nor a score between documents is ever computed: a
    block mask over the row would cost the square of its length. Raises UserError where a document is longer than a sliding window,
    and where scores are altered in a way that is not known here.
    """
    lengths: list[int] = settings.pop("document_lengths")
    window = settings.pop("sliding_window", None)
    if window is not None and max(lengths) > window:
        raise UserError(
            f"this model attends to {window} tokens back, and a conversation has {max(lengths)}: set sft's `attention: sdpa`"
        )
    for name, told in (("s_aux", "attention sinks"), ("softcap", "capped attention scores")):
        if settings.get(name) is not None:
            raise UserError(f"this model has {told}, which packed conversations would go without: set sft's `packing: false`")
    if query.is_cuda and (torch.is_autocast_enabled("cuda") or query.dtype in (torch.float16, torch.bfloat16)):
        return _variable_lengths(query, key, value, settings), None
    heard = [
        sdpa_attention_forward(module, *parts, None, **settings)[0]
        for parts in zip(*(torch.split(states, lengths, 2) for states in (query, key, value)), strict=True)
    ]
    return torch.cat(heard, 1), None


def _variable_lengths(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """All documents by one call of torch's own flash kernel, which takes half precision only."""
    if settings.get("dropout"):
        raise UserError("torch's flash kernel knows no dropout, and this model's attention has it: set sft's `attention: sdpa`")
    if torch.is_autocast_enabled("cuda"):  # rotary embeddings are applied in float32 and autocast does not know this kernel
        query, key, value = (states.to(torch.get_autocast_dtype("cuda")) for states in (query, key, value))
    ends, longest = settings["cu_seq_lens_q"], settings["max_length_q"]
    heard: torch.Tensor = varlen_attn(  # type: ignore[assignment]  # one tensor, since nothing beside is asked for
        query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1), ends, ends, longest, longest,
        scale=settings.get("scaling"), window_size=(-1, 0), enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return heard.unsqueeze(0)


# Without a mask function of the same name transformers makes no mask for it, which is what this attention needs.
AttentionInterface.register(DOCUMENTS, document_attention)
