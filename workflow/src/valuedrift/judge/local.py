"""A judge in transformers, in this process: one forward pass over each prompt gives the probabilities of the option letters."""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.judge import JudgeConfig
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.first_tokens import NextToken, read_first_tokens
from valuedrift.judge.options import OptionTokens
from valuedrift.judge.prefix import common_prefix, prefix_cache
from valuedrift.judge.tokens import prompt_tokens
from valuedrift.lm.loading import loading

MIN_PREFIX = 8
"""Shortest common prefix, in tokens, that is worth a forward pass of its own."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.05}
"""The most that a probability may change when the prefix is cached, by type: half precision rounds more coarsely than float32."""


class LocalReader:
    """A transformers model that answers the judge's prompt with an option letter.

    The common prefix of all prompts of a call is computed once. A model reads whole prompts if caching the prefix changes its
    answers, or if it cannot cache one (sliding windows, recurrent states).
    """

    def __init__(self, config: JudgeConfig) -> None:
        self.config = config
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        options = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
        path = str(config.path)
        with loading("the judge", path):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path, **options)
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=getattr(torch, config.dtype), use_safetensors=True, **options
            )
        self.model = self.model.to(self.device).eval()
        self.options = OptionTokens(self.tokenizer)

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        tokens = prompt_tokens(self.tokenizer, [prompt.text for prompt in prompts])
        max_length = getattr(self.model.config, "max_position_embeddings", None) or sys.maxsize
        cache, cached = self._prefix(sorted((row for row in tokens if len(row) <= max_length), key=len, reverse=True))

        def next_tokens(asked: list[int]) -> Iterator[tuple[int, NextToken]]:
            # Sorted by length, so that there is little padding; the longest first, so that a lack of memory shows at once.
            order = sorted(asked, key=lambda i: -len(tokens[i]))
            for start in range(0, len(order), self.config.batch_size):
                batch = order[start : start + self.config.batch_size]
                rows = self._probabilities([tokens[i] for i in batch], cache, cached)
                best = rows.max(-1)
                for i, row, p, token in zip(batch, rows, best.values.tolist(), best.indices.tolist(), strict=True):
                    yield i, ([float(row[ids].sum()) for ids in self.options.ids(prompts[i].words)], token, p)

        return read_first_tokens(prompts, tokens, max_length, self.options.openers, next_tokens)

    def _prefix(self, tokens: list[list[int]]) -> tuple[Any, int]:
        """Return the cache of the prompts' common prefix and its length in tokens; (None, 0) if whole prompts must be read.

        `tokens` are sorted by length: whether caching changes an answer is tested on the longest and the shortest prompt.
        """
        prefix = common_prefix(tokens) if len(tokens) > 2 else []
        if len(prefix) < MIN_PREFIX or (cache := prefix_cache(self.model, prefix)) is None:
            return None, 0
        tested = [tokens[0], tokens[-1]]
        change = (self._probabilities(tested, cache, len(prefix)) - self._probabilities(tested)).abs().max().item()
        if change > TOLERANCE[self.config.dtype]:
            print(f"{self.config.path}: reads whole prompts, since a cached prefix changes its probabilities by {change:.2g}",
                  file=sys.stderr)  # fmt: skip
            return None, 0
        return cache, len(prefix)

    @torch.inference_mode()
    def _probabilities(self, tokens: list[list[int]], cache: Any = None, cached: int = 0) -> torch.Tensor:
        """Return the probabilities of the next token after each prompt (token ids), float64 (prompts, vocabulary).

        `cache` holds the first `cached` tokens, which all prompts share; the rest is padded on the left.
        """
        width = max(map(len, tokens))
        ids = torch.tensor([[0] * (width - len(row)) + row[cached:] for row in tokens], device=self.device)
        mask = torch.tensor(
            [[1] * cached + [0] * (width - len(row)) + [1] * (len(row) - cached) for row in tokens], device=self.device
        )
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, cached:]
        # Logits of the last position only: those of all positions would take most of the memory and half of the time.
        kwargs = {"use_cache": False} if cache is None else {"past_key_values": cache}
        output = self.model(ids, attention_mask=mask, position_ids=positions, logits_to_keep=1, **kwargs)
        probabilities: torch.Tensor = output.logits[:, -1].double().softmax(-1)
        return probabilities
