"""Continuous batching for a causal language model: rows leave the batch when they end, and waiting prompts take their places."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

Pick = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Next tokens (rows), given logits (rows × vocabulary), the rows' indices among the prompts, and the tokens that each has drawn."""

# Waiting prompts join once this share of the batch is free. Each time caches are copied and a few prompts are prefilled: at 0.1 a
# small model was 3% slower than at 0.25, and 20% slower when prompts joined after every row that ended.
FREE = 0.25


def continuations(model: Any, prompts: list[list[int]], pick: Pick, ends: set[int], limit: int, batch_size: int) -> list[list[int]]:
    """Return the tokens that continue each prompt, up to and with the first of `ends`, at most `limit`.

    Rows cannot leave or join the batch of a model whose cache holds more than keys and values, such as the state of a linear
    attention: transformers' own loop samples it, batch by batch.
    """
    if _caches_only_keys_and_values(model):
        return _Decoding(model, prompts, pick, ends, limit, batch_size).run()
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    found: dict[int, list[int]] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        found.update(zip(rows, _generate(model, [prompts[i] for i in rows], _Forced(pick, rows), ends, limit), strict=True))
    return [found[i] for i in range(len(prompts))]


class SeededDraws:
    """Draws each next token by inverse transform from uniform numbers of the request's own.

    transformers samples a batch with one generator, so that a response depends on its neighbours; here a request's t-th token is
    the first whose cumulative probability exceeds the t-th number of the stream seeded with the request's seed.
    """

    def __init__(self, seeds: list[int], temperature: float, steps: int) -> None:
        self.temperature = temperature
        streams = [np.random.default_rng(seed).random(steps, dtype=np.float64) for seed in seeds]
        self.uniforms = torch.from_numpy(np.reshape(streams, (len(seeds), steps)))

    def __call__(self, logits: torch.Tensor, requests: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """Return the next tokens (rows) of these requests, given logits (rows × vocabulary) and the tokens that each has drawn."""
        if self.temperature == 0:
            return most_likely(logits, requests, drawn)
        # In double precision, since a float32 running sum over 150,000 tokens ends visibly off 1.
        cumulative = (logits.double() / self.temperature).softmax(-1).cumsum(-1)
        self.uniforms = self.uniforms.to(logits.device)
        wanted = self.uniforms[requests, drawn].unsqueeze(1) * cumulative[:, -1:]
        return torch.searchsorted(cumulative, wanted, right=True).clamp(max=logits.shape[1] - 1).squeeze(1)


def most_likely(logits: torch.Tensor, _requests: torch.Tensor, _drawn: torch.Tensor) -> torch.Tensor:
    """Return the most likely token of each row."""
    return logits.argmax(-1)


@dataclass
class _Batch:
    """Prompts that are continued together, left-padded to one width."""

    prompts: torch.Tensor
    """Each row's index among the prompts."""
    tokens: torch.Tensor
    """Each row's last token, which the cache does not hold yet."""
    drawn: torch.Tensor
    """Tokens that each row has drawn before its last."""
    going: torch.Tensor
    """True for rows that have not ended."""
    mask: torch.Tensor
    """Rows × width: 1 where the row's own tokens are, 0 where it is padded."""
    cache: DynamicCache
    """Per layer keys and values: rows × heads × width × size of a head."""

    def keep(self, rows: torch.Tensor) -> None:
        """Keep these rows, and drop the columns in which all of them are padded."""
        for name in ("prompts", "tokens", "drawn", "going", "mask"):
            setattr(self, name, getattr(self, name)[rows])
        start = int(self.mask.any(0).int().argmax())
        self.mask = self.mask[:, start:]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[rows, :, start:], layer.values[rows, :, start:]

    def join(self, other: "_Batch") -> None:
        """Append the rows of another batch."""
        for name in ("prompts", "tokens", "drawn", "going"):
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))
        self.mask = _stacked(self.mask.unsqueeze(-1), other.mask.unsqueeze(-1)).squeeze(-1)
        for layer, new in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.keys, layer.values = _stacked(layer.keys, new.keys), _stacked(layer.values, new.values)


class _Decoding:
    """The continuation of one list of prompts; equal prompts are prefilled once."""

    def __init__(self, model: Any, prompts: list[list[int]], pick: Pick, ends: set[int], limit: int, batch_size: int) -> None:
        self.model, self.prompts, self.pick, self.limit, self.batch_size = model, prompts, pick, limit, batch_size
        self.ends = torch.tensor(sorted(ends), dtype=torch.long, device=model.device)
        # Taken from the end, longest first: too little memory shows at once. Equal prompts are neighbours.
        self.waiting = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), prompts[i]))
        self.found: list[list[int]] = [[] for _ in prompts]

    @torch.inference_mode()
    def run(self) -> list[list[int]]:
        batch = self._refilled(None)
        while batch is not None:
            places = self.batch_size if self.waiting else len(batch.going)
            if int(batch.going.sum()) <= places * (1 - FREE):
                batch = self._refilled(batch)
            else:
                batch.mask = pad(batch.mask, (0, 1), value=1)
                self._draw(batch, self._logits(batch.tokens.unsqueeze(1), batch.mask, batch.cache))
        return self.found

    def _refilled(self, batch: _Batch | None) -> _Batch | None:
        """Return the batch with waiting prompts in place of the rows that have ended; None when all is done."""
        if batch is not None:
            batch.keep(batch.going.nonzero().squeeze(1))
        going = 0 if batch is None else len(batch.going)
        free = self.batch_size - going
        rows, self.waiting = self.waiting[-free:], self.waiting[:-free]
        if not rows:
            return batch if going else None
        new = self._prefilled(rows)
        if batch is None or not going:
            return new
        batch.join(new)
        return batch

    def _prefilled(self, rows: list[int]) -> _Batch:
        """Return a batch of these prompts with the first token of each drawn."""
        device = self.model.device
        different = list(dict.fromkeys(tuple(self.prompts[row]) for row in rows))
        tokens, mask = _padded(different, device)
        cache = DynamicCache()
        logits = self._logits(tokens, mask, cache)
        none = torch.zeros(len(different), dtype=torch.long, device=device)
        batch = _Batch(none, none, none, none == 0, mask, cache)
        places = {prompt: place for place, prompt in enumerate(different)}
        copies = torch.tensor([places[tuple(self.prompts[row])] for row in rows], device=device)
        batch.keep(copies)
        batch.prompts = torch.tensor(rows, device=device)
        self._draw(batch, logits[copies])
        return batch

    def _logits(self, tokens: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """Return the next token's logits (rows × vocabulary), after the cache and these tokens (rows × new columns of the mask)."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        output = self.model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _draw(self, batch: _Batch, logits: torch.Tensor) -> None:
        """Draw each row's next token; what rows that have ended draw is discarded."""
        batch.tokens = self.pick(logits, batch.prompts, batch.drawn)
        for prompt, token, going in torch.stack([batch.prompts, batch.tokens, batch.going.long()], 1).tolist():
            if going:
                self.found[prompt].append(token)
        batch.going = batch.going & ~torch.isin(batch.tokens, self.ends) & (batch.drawn + 1 < self.limit)
        batch.drawn = batch.drawn + batch.going


class _Forced(LogitsProcessor):  # type: ignore[misc]
    """Makes every token but the picked one impossible, for transformers' own loop."""

    def __init__(self, pick: Pick, rows: list[int]) -> None:
        self.pick, self.rows, self.drawn = pick, torch.tensor(rows), 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = self.rows.to(scores.device)
        picked = self.pick(scores, rows, torch.full_like(rows, self.drawn))
        self.drawn += 1
        return torch.full_like(scores, -torch.inf).scatter(1, picked.unsqueeze(1), 0.0)


@torch.inference_mode()
def _generate(model: Any, prompts: list[list[int]], forced: _Forced, ends: set[int], limit: int) -> list[list[int]]:
    """Continue one batch by transformers' own loop."""
    tokens, mask = _padded(prompts, model.device)
    output = model.generate(
        tokens, attention_mask=mask, do_sample=False, max_new_tokens=limit, logits_processor=LogitsProcessorList([forced]),
        eos_token_id=sorted(ends) or None, pad_token_id=0,
    )  # fmt: skip
    found = output[:, tokens.shape[1] :].tolist()
    return [row[: next((i + 1 for i, token in enumerate(row) if token in ends), None)] for row in found]


def _caches_only_keys_and_values(model: Any) -> bool:
    """Return True if the cache is only keys and values per layer, and the model takes the arguments of this loop."""
    taken = inspect.signature(model.forward).parameters
    if not {"position_ids", "past_key_values", "logits_to_keep"} <= taken.keys() or model._is_stateful:
        return False
    layers = DynamicCache(config=model.config).layers
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    return plain and len(layers) == model.config.get_text_config(decoder=True).num_hidden_layers


def _padded(prompts: Any, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the prompts, left-padded to one width, and their mask."""
    width = max(map(len, prompts))
    tokens = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return tokens, mask


def _stacked(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the rows of both (rows × … × width × size), the narrower ones left-padded with zeros."""
    width = max(a.shape[-2], b.shape[-2])
    return torch.cat([pad(x, (0, 0, width - x.shape[-2], 0)) for x in (a, b)])
