"""Sampled responses: which tokens belong to them, and how likely a model finds them."""

from typing import Any

import torch


def response_mask(responses: torch.Tensor, eos: int) -> torch.Tensor:
    """True up to and including the first end token of each row; responses is (rows, tokens)."""
    is_end = (responses == eos).long()
    return (is_end.cumsum(1) - is_end) == 0


def token_logprobs(model: Any, sequences: torch.Tensor, mask: torch.Tensor, start: int, temperature: float) -> torch.Tensor:
    """Log probability of each token from `start` on, (rows, tokens - start), at a sampling temperature."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=sequences, attention_mask=mask, position_ids=positions).logits[:, start - 1 : -1] / temperature
    logprobs: torch.Tensor = logits.log_softmax(-1).gather(-1, sequences[:, start:, None]).squeeze(-1)
    return logprobs
