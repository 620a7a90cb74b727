"""Measuring: responses, values and drift."""

from typing import Literal

from valuedrift.config.base import Closed, Count, NonNegative
from valuedrift.config.vllm import VllmConfig


class GenerationConfig(Closed):
    engine: Literal["transformers", "vllm"] = "transformers"
    """What samples the responses: transformers runs anywhere; vllm is several times as fast and has an installation of its own."""
    samples: Count = 5
    """Responses to each prompt."""
    temperature: NonNegative = 0.7
    """Sampling temperature; 0 is greedy."""
    max_new_tokens: Count = 256
    """Longest response, in tokens."""
    batch_size: Count = 64
    """Responses sampled at once (transformers). In float32 no response depends on it, unless a draw lies on the very boundary of
    two tokens (1 in 550 on the miniature)."""
    base_suffix: str = "Response:"
    """Appended on a line of its own to the prompts of models that have no chat template in training."""
    canary: bool = True
    """Check that a checkpoint answers a few prompts as it did when it was saved. That finds wrong weights, but not a neighbouring
    checkpoint whose few answers are the same."""
    vllm: VllmConfig = VllmConfig()
    """How vLLM runs."""


# What single steps read, where that is not one of the blocks above.


class GenerationJob(Closed):
    run: str
    seed: int
    dtype: str
    trust_remote_code: bool
    generation: GenerationConfig
