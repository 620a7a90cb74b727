"""A judge that runs here: one forward pass over each prompt gives the probabilities of the option letters."""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.first_tokens import Next, read_places
from valuedrift.judge.options import OptionTokens
from valuedrift.judge.prefix import common_prefix, hold
from valuedrift.judge.tokens import prompt_tokens

SHORTEST = 8
"""Tokens of a common prefix that is worth a pass of its own."""
TOLERANCE = {"float32": 1e-4}
OTHERS = 0.05
"""By how much a probability may differ with the prefix held; half precision rounds more than that of a float32."""


class LocalReader:
    """A transformers model that answers the judge's prompt by option letter.

    What all prompts of a call begin with is computed once. A model whose answers that changes, or that cannot hold it (sliding
    windows, recurrent states), reads whole prompts.
    """

    def __init__(self, config: JudgeConfig) -> None:
        self.config = config
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        options = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
        path = str(config.path)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path, **options)
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=getattr(torch, config.dtype), use_safetensors=True, **options
            )
        except (OSError, ValueError) as error:
            raise UserError(f"the judge `{path}` cannot be loaded: {error}") from error
        self.model = self.model.to(self.device).eval()
        self.options = OptionTokens(self.tokenizer)

    def __call__(self, prompts: list[Prompt]) -> list[Reading | str]:
        tokens = prompt_tokens(self.tokenizer, [prompt.text for prompt in prompts])
        room = getattr(self.model.config, "max_position_embeddings", None) or sys.maxsize
        held, begun = self._held(sorted((row for row in tokens if len(row) <= room), key=len, reverse=True))

        def read(asked: list[int]) -> Iterator[tuple[int, Next]]:
            # By length, so that little is padded; the longest first, so that too little memory shows at once.
            order = sorted(asked, key=lambda i: -len(tokens[i]))
            for start in range(0, len(order), self.config.batch_size):
                batch = order[start : start + self.config.batch_size]
                rows = self._probabilities([tokens[i] for i in batch], held, begun)
                best = rows.max(-1)
                for i, row, p, token in zip(batch, rows, best.values.tolist(), best.indices.tolist(), strict=True):
                    yield i, ([float(row[ids].sum()) for ids in self.options.ids(prompts[i].words)], token, p)

        return read_places(prompts, tokens, room, self.options.openers, read)

    def _held(self, tokens: list[list[int]]) -> tuple[Any, int]:
        """The cache of what all prompts begin with and its length; tried on the longest and the shortest prompt."""
        prefix = common_prefix(tokens) if len(tokens) > 2 else []
        if len(prefix) < SHORTEST or (held := hold(self.model, prefix)) is None:
            return None, 0
        tried = [tokens[0], tokens[-1]]
        apart = (self._probabilities(tried, held, len(prefix)) - self._probabilities(tried)).abs().max().item()
        if apart > TOLERANCE.get(self.config.dtype, OTHERS):
            print(f"{self.config.path}: reads whole prompts, since its answers differ ({apart:.2g}) with their beginning held",
                  file=sys.stderr)  # fmt: skip
            return None, 0
        return held, len(prefix)

    @torch.inference_mode()
    def _probabilities(self, tokens: list[list[int]], held: Any = None, begun: int = 0) -> torch.Tensor:
        """Probabilities of the next token after each prompt, (prompts, vocabulary)."""
        width = max(map(len, tokens))
        ids = torch.tensor([[0] * (width - len(row)) + row[begun:] for row in tokens], device=self.device)
        mask = torch.tensor(
            [[1] * begun + [0] * (width - len(row)) + [1] * (len(row) - begun) for row in tokens], device=self.device
        )
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, begun:]
        # Logits of the last position only: of all positions they would be most of the memory, and half of the time.
        cache = {"use_cache": False} if held is None else {"past_key_values": held}
        found = self.model(ids, attention_mask=mask, position_ids=positions, logits_to_keep=1, **cache)
        probabilities: torch.Tensor = found.logits[:, -1].double().softmax(-1)
        return probabilities
