"""How responses are sampled."""

from typing import Literal

from valuedrift.config.base import Closed, Count, NonNegative, Seed
from valuedrift.config.vllm import VllmConfig


class GenerationConfig(Closed):
    engine: Literal["transformers", "vllm"] = "transformers"
    """What samples the responses: transformers runs anywhere; vllm is several times as fast and needs its own installation."""
    samples: Count = 5
    """Responses sampled for each prompt."""
    replicates: Literal[1, 2] = 1
    """2: the first and the last checkpoint of each run are sampled a second time with independent chance, and judged by the study's
    own judge. The report then shows the drift of nothing, between two samplings of a checkpoint, next to that of training."""
    seed: Seed | None = None
    """Seed of the responses; the study's `seed` by default. With another one all responses are sampled again and nothing is trained
    again."""
    temperature: NonNegative = 0.7
    """Sampling temperature; 0 is greedy."""
    max_new_tokens: Count = 256
    """Longest response, in tokens; a longer one is cut there."""
    batch_size: Count = 64
    """Responses sampled at once (transformers). In float32 no response depends on it, unless a draw falls on the very boundary
    between two tokens (1 in 550 on the miniature)."""
    base_suffix: str = "Response:"
    """Appended, on a line of its own, to the prompts of models that are asked without a chat template, such as base models."""
    fingerprint: bool = True
    """Check that each checkpoint gives the same greedy answers to a few prompts as when it was saved. This finds wrong weights, but
    not a neighbouring checkpoint that gives the same few answers."""
    vllm: VllmConfig = VllmConfig()
    """How vLLM runs (vllm)."""


class GenerationJob(Closed):
    """The config of the step that samples one run's responses."""

    run: str
    seed: int
    """The responses' seed."""
    replicate: bool = False
    """Whether it is the second sampling, of the first and last checkpoint with chance of its own."""
    dtype: str
    trust_remote_code: bool
    generation: GenerationConfig
