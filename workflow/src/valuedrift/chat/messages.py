"""What is asked of a chat model and what comes back."""

from dataclasses import dataclass

from valuedrift.chat.ledger import key_of
from valuedrift.config.chat import ChatJob


@dataclass(frozen=True)
class Request:
    """A question; `sample` tells identical ones apart that are to be answered anew."""

    user: str
    system: str | None = None
    sample: int = 0
    logprobs: int | None = None
    """So many of the likeliest tokens are wanted at each place of the answer, with their logprobs."""

    def key(self, config: ChatJob) -> str:
        """The question's key in a ledger."""
        logprobs = {} if self.logprobs is None else {"logprobs": self.logprobs}  # absent, so that older ledgers' keys hold
        return key_of(
            model=config.model, revision=config.revision, temperature=config.temperature, max_tokens=config.max_tokens,
            system=self.system, user=self.user, sample=self.sample, **logprobs,
        )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One place of an answer: the token that stands there, and the likeliest ones with their logprobs, likeliest first."""

    token: str
    likeliest: list[tuple[str, float]]


@dataclass(frozen=True)
class Reply:
    """An answer's text, or the problem why there is none: refused, empty, cut at max_tokens, or the server's word.

    Where logprobs were wanted, `places` holds them, and an answer that was cut is no problem: its first tokens are what counts.
    """

    text: str | None
    problem: str | None
    places: tuple[Place, ...] = ()
    begun: str | None = None
    """What there is of an answer that was cut."""
