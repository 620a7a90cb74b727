"""Questions to a chat model, and its replies."""

from dataclasses import dataclass

from valuedrift.chat.ledger import key_of
from valuedrift.config.chat import ChatJob


@dataclass(frozen=True)
class Request:
    """A question; identical ones with different `sample` are answered independently."""

    user: str
    system: str | None = None
    sample: int = 0
    logprobs: int | None = None
    """How many of the likeliest tokens to return at each position of the answer, with their logprobs."""

    def key(self, config: ChatJob) -> str:
        """Return the question's key in a ledger."""
        logprobs = {} if self.logprobs is None else {"logprobs": self.logprobs}  # absent: older ledgers' keys stay valid
        return key_of(
            model=config.model, revision=config.revision, temperature=config.temperature, max_tokens=config.max_tokens,
            system=self.system, user=self.user, sample=self.sample, **logprobs,
        )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One position of an answer: its token, and the likeliest tokens with their logprobs, likeliest first."""

    token: str
    likeliest: list[tuple[str, float]]


@dataclass(frozen=True)
class Reply:
    """An answer's text, or the problem why it has none: refused, empty, cut at max_tokens, unusable, or the server's message.

    Where logprobs were wanted, `places` holds them, and a cut answer has no problem: only its first tokens are read.
    """

    text: str | None
    problem: str | None
    places: tuple[Place, ...] = ()
    begun: str | None = None
    """The text of an answer that was cut."""
