"""Sampling with transformers: it runs anywhere and needs no installation of its own."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from valuedrift.config.generate import GenerationConfig
from valuedrift.errors import UserError
from valuedrift.generate.engine import Request, Response
from valuedrift.generate.tokenization import Tokenization
from valuedrift.lm.decoding import SeededDraws, continuations, most_likely
from valuedrift.lm.loading import loading


class TransformersEngine:
    """Samples batches that stay full, each row from its own stream of random numbers."""

    def __init__(self, config: GenerationConfig, dtype: str, trust_remote_code: bool) -> None:
        self.config = config
        self.options = {"dtype": getattr(torch, dtype), "trust_remote_code": trust_remote_code, "use_safetensors": True}
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = None
        self.tokenization: Any = None

    def load(self, checkpoint: Path, chat: bool) -> None:
        self.tokenization = Tokenization.load(checkpoint, chat, self.config.base_suffix, bool(self.options["trust_remote_code"]))
        self.model = None  # so that two checkpoints are never in memory at once
        self.model = _loaded(checkpoint, self.options).to(self.device).eval()
        # A setting of one checkpoint, such as a repetition penalty, would make its samples incomparable with the others'.
        self.model.generation_config = transformers.GenerationConfig()

    def render(self, question: str) -> str:
        text: str = self.tokenization.render(question)
        return text

    def sample(self, requests: list[Request]) -> list[Response]:
        draw = SeededDraws([r.seed for r in requests], self.config.temperature, self.config.max_new_tokens)
        prompts = self.tokenization.encode([r.prompt for r in requests])
        found = continuations(self.model, prompts, draw, self.tokenization.ends, self.config.max_new_tokens, self.config.batch_size)
        return [self._response(tokens) for tokens in found]

    def greedy(self, prompts: list[list[int]], tokens: int) -> list[list[int]]:
        return continuations(self.model, prompts, most_likely, set(), tokens, self.config.batch_size)

    def close(self) -> None:
        self.model = None

    def _response(self, tokens: list[int]) -> Response:
        ended = bool(tokens) and tokens[-1] in self.tokenization.ends
        tokens = tokens[: len(tokens) - ended]
        return Response(self.tokenization.decode(tokens), len(tokens), "stop" if ended else "length")


def _loaded(checkpoint: Path, options: dict[str, Any]) -> Any:
    """Return the checkpoint's model; raises UserError if it cannot be read or lacks tensors, which would get random values."""
    with loading("the checkpoint", checkpoint):
        model, info = AutoModelForCausalLM.from_pretrained(checkpoint, output_loading_info=True, **options)
    if missing := sorted(info["missing_keys"]):
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise UserError(
            f"the checkpoint {checkpoint} lacks {names}, which transformers would fill with random numbers: save it again"
        )
    return model
