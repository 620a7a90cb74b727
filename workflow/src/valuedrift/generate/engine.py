"""The interface of a sampling engine: it holds one checkpoint at a time, swaps in the next, and samples responses to prompts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """One response to sample: the rendered prompt, and the seed, which alone decides the draw."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Response:
    """A sampled response: its text, its number of tokens without the end token, and why it ended (stop or length)."""

    text: str
    n_tokens: int
    finish_reason: str


class Engine(Protocol):
    """Samples from checkpoints of one architecture and vocabulary."""

    def load(self, checkpoint: Path, chat: bool) -> None:
        """Load the checkpoint in the folder; `chat`: questions are rendered with its chat template.

        Raises UserError if it cannot be read or is incomplete.
        """

    def render(self, question: str) -> str:
        """Return the full text of the prompt that asks the checkpoint a question."""

    def sample(self, requests: list[Request]) -> list[Response]:
        """Return one response to each request, in order.

        In float32 a response does not depend on the other requests, unless a draw falls on the very boundary between two tokens.
        """

    def greedy(self, prompts: list[list[int]], tokens: int) -> list[list[int]]:
        """Return the greedy continuation of each prompt (token ids): `tokens` token ids, also past an end token."""

    def close(self) -> None:
        """Free the model and its memory."""
