"""What an engine is: it holds one checkpoint at a time, swaps in the next, and samples responses to prompts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """One response to sample: the full text of the prompt and the seed that alone decides the draw."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Response:
    """A sampled response: its text, its tokens without the end token, and why it ended: stop or length."""

    text: str
    n_tokens: int
    finish_reason: str


class Engine(Protocol):
    """Samples from checkpoints of one architecture and vocabulary."""

    def load(self, checkpoint: Path, chat: bool) -> None:
        """Make the weights in the folder the ones that `sample` uses; `chat`: ask through the checkpoint's chat template."""

    def render(self, question: str) -> str:
        """The full text of the prompt that asks the checkpoint a question."""

    def sample(self, requests: list[Request]) -> list[Response]:
        """One response to each request, in order; in float32 none depends on what else is sampled with it, unless a draw lies
        on the very boundary of two tokens."""

    def greedy(self, prompts: list[list[int]], tokens: int) -> list[list[int]]:
        """The `tokens` likeliest tokens after each prompt (token ids), one by one; none of them ends the answer."""

    def close(self) -> None:
        """Give back what the engine holds."""
