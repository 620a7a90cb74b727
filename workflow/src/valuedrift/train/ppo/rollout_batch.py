"""Prompts with the responses sampled to them, and how models read these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class Batch:
    """Rows of one width, padded behind their ends.

    In a causal model no token sees what stands behind it, so that padding changes nothing, and neither a mask nor positions are
    needed: attention runs in its fastest form, and the padding token may be any, also one that texts use.
    """

    tokens: torch.Tensor
    """Rows × width."""
    places: torch.Tensor
    """Rows × longest response: where each response token stands in `tokens`; behind a response's end, any valid place."""
    mask: torch.Tensor
    """Rows × longest response: whether there is a response token."""
    shortest: int
    """Tokens of the shortest prompt."""


@dataclass(frozen=True)
class Dialogues:
    """Token ids of prompts and of one response to each; a response holds its end token where it has one, and is never empty."""

    prompts: list[list[int]]
    responses: list[list[int]]

    def __len__(self) -> int:
        return len(self.prompts)

    def length(self, row: int) -> int:
        return len(self.prompts[row]) + len(self.responses[row])

    def batch(self, rows: Sequence[int], device: torch.device) -> Batch:
        """These rows as tensors."""
        width = max(self.length(row) for row in rows)
        tokens = [[*self.prompts[row], *self.responses[row], *[0] * (width - self.length(row))] for row in rows]
        starts = torch.tensor([len(self.prompts[row]) for row in rows])
        lengths = torch.tensor([len(self.responses[row]) for row in rows])
        steps = torch.arange(int(lengths.max()))
        places = (starts[:, None] + steps).clamp(max=width - 1)
        return Batch(
            torch.tensor(tokens, device=device), places.to(device), (steps < lengths[:, None]).to(device), int(starts.min())
        )


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 products on a GPU, as in TRL's trainers; nothing changes on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def token_logprobs(policy: Any, batch: Batch, temperature: float) -> torch.Tensor:
    """Log probability of each response token at a sampling temperature, rows × longest response; 0 behind a response's end."""
    # Logits of the prompts would only fill memory: the first that counts is that of the shortest prompt's last token.
    first, width = batch.shortest - 1, batch.tokens.shape[1]
    kept = {"logits_to_keep": width - first} if policy._supports_logits_to_keep() else {}
    logits = policy(input_ids=batch.tokens, use_cache=False, **kept).logits[:, first - width :]
    rows, _ = batch.mask.nonzero(as_tuple=True)
    places = batch.places[batch.mask]
    found = -cross_entropy(logits[rows, places - 1 - first].float() / temperature, batch.tokens[rows, places], reduction="none")
    return torch.zeros_like(batch.mask, dtype=found.dtype).masked_scatter(batch.mask, found)


def token_values(scorer: Any, batch: Batch) -> torch.Tensor:
    """Value of the state before each response token, rows × longest response; 0 behind a response's end, where nothing follows."""
    return _scores(scorer, batch).gather(1, batch.places - 1).masked_fill(~batch.mask, 0)


def final_rewards(scorer: Any, batch: Batch) -> torch.Tensor:
    """Reward at the last token of each response, (rows,)."""
    last = batch.places.gather(1, batch.mask.sum(1, keepdim=True) - 1)
    return _scores(scorer, batch).gather(1, last).squeeze(1)


def _scores(scorer: Any, batch: Batch) -> torch.Tensor:
    """The scalar head at every token, rows × width."""
    hidden = scorer.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
    scores: torch.Tensor = scorer.score(hidden).squeeze(-1).float()
    return scores
