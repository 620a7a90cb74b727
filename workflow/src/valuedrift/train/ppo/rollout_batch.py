"""Prompts with sampled responses as token batches, and the models' numbers for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class RolloutBatch:
    """Rows of one width, padded on the right.

    In a causal model no token attends to later ones, so right padding changes nothing and neither an attention mask nor positions
    are needed: attention runs in its fastest form, and any token can pad, also one that texts use.
    """

    tokens: torch.Tensor
    """(rows, width)"""
    positions: torch.Tensor
    """(rows, longest response): column of each response token in `tokens`; after a response's end, any valid column."""
    mask: torch.Tensor
    """(rows, longest response): True where there is a response token."""
    shortest: int
    """Length of the shortest prompt, in tokens."""


@dataclass(frozen=True)
class Rollouts:
    """Token ids of prompts and of one sampled response to each.

    A response includes its end token if it has one, and is never empty.
    """

    prompts: list[list[int]]
    responses: list[list[int]]

    def __len__(self) -> int:
        return len(self.prompts)

    def length(self, row: int) -> int:
        return len(self.prompts[row]) + len(self.responses[row])

    def batch(self, rows: Sequence[int], device: torch.device) -> RolloutBatch:
        """Return these rows as tensors."""
        width = max(self.length(row) for row in rows)
        tokens = [[*self.prompts[row], *self.responses[row], *[0] * (width - self.length(row))] for row in rows]
        starts = torch.tensor([len(self.prompts[row]) for row in rows])
        lengths = torch.tensor([len(self.responses[row]) for row in rows])
        steps = torch.arange(int(lengths.max()))
        positions = (starts[:, None] + steps).clamp(max=width - 1)
        return RolloutBatch(
            torch.tensor(tokens, device=device), positions.to(device), (steps < lengths[:, None]).to(device), int(starts.min())
        )


def autocast(device: torch.device) -> torch.autocast:
    """Return a context that computes in bfloat16 on a GPU, as TRL's trainers do; on a CPU it changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def token_logprobs(policy: Any, batch: RolloutBatch, temperature: float) -> torch.Tensor:
    """Return the log probability of each response token at a sampling temperature, (rows, longest response); 0 after the end."""
    # Logits of the prompts would only fill memory: the first one needed is at the shortest prompt's last token.
    first, width = batch.shortest - 1, batch.tokens.shape[1]
    kept = {"logits_to_keep": width - first} if policy._supports_logits_to_keep() else {}
    logits = policy(input_ids=batch.tokens, use_cache=False, **kept).logits[:, first - width :]
    rows, _ = batch.mask.nonzero(as_tuple=True)
    positions = batch.positions[batch.mask]
    predicted = logits[rows, positions - 1 - first].float() / temperature
    logprobs = -cross_entropy(predicted, batch.tokens[rows, positions], reduction="none")
    return torch.zeros_like(batch.mask, dtype=logprobs.dtype).masked_scatter(batch.mask, logprobs)


def token_values(scorer: Any, batch: RolloutBatch) -> torch.Tensor:
    """Return the value of the state before each response token, (rows, longest response); 0 after a response's end."""
    return _scores(scorer, batch).gather(1, batch.positions - 1).masked_fill(~batch.mask, 0)


def final_rewards(scorer: Any, batch: RolloutBatch) -> torch.Tensor:
    """Return the scalar head's output at the last token of each response, (rows,)."""
    last = batch.positions.gather(1, batch.mask.sum(1, keepdim=True) - 1)
    return _scores(scorer, batch).gather(1, last).squeeze(1)


def _scores(scorer: Any, batch: RolloutBatch) -> torch.Tensor:
    """Return the scalar head's output at every token, (rows, width)."""
    hidden = scorer.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
    scores: torch.Tensor = scorer.score(hidden).squeeze(-1).float()
    return scores
