"""The likeliest tokens at the first places of an answer, as a server says them or a ledger holds them: possible, or refused."""

import math
from collections.abc import Iterable
from typing import Any

from valuedrift.chat.malformed import MalformedAnswer
from valuedrift.chat.messages import Place

FIRST = 8
"""Places that are kept: an option comes behind a few openers, such as "(", or not at all."""
TOLERANCE = 0.01
"""By how much probabilities may exceed what is possible: logprobs of two decimals are off by up to .5% each."""
LEAST = 1e-6
"""Least probability of the tokens returned together: of a vocabulary of a million, the likeliest has more."""
IMPOSSIBLE = -9999.0
"""The logprob that stands for a probability of 0: what vLLM and OpenAI send in place of -inf, which is no JSON."""
LONGEST = 1_000
"""Characters of a token; the longest of today's vocabularies have 256."""


def place_of(token: Any, pairs: Iterable[tuple[Any, Any]]) -> Place:
    """Return a place from its token and the likeliest tokens with their logprobs, in any order.

    Raises MalformedAnswer where these cannot be the probabilities of different tokens. Two tokens may have the same text, as
    "▁A" and "A" have in vLLM with SentencePiece's vocabularies, but then not the same logprob too.
    """
    likeliest = sorted(((text, _logprob(logprob)) for text, logprob in pairs), key=lambda pair: -pair[1])
    if not all(isinstance(text, str) and len(text) <= LONGEST for text in (token, *(text for text, _ in likeliest))):
        raise MalformedAnswer("returns logprobs of what is no token")
    mass = math.fsum(math.exp(logprob) for _, logprob in likeliest)
    if not LEAST < mass <= 1 + TOLERANCE:
        raise MalformedAnswer("returns probabilities that sum to 0 or to more than 1", f"they sum to {mass:.3g}")
    if mass - math.fsum(math.exp(logprob) for _, logprob in set(likeliest)) > TOLERANCE:
        raise MalformedAnswer("returns the logprob of one token several times")
    return Place(token, likeliest)


def _logprob(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= math.log1p(TOLERANCE):  # nor is NaN
        raise MalformedAnswer("returns logprobs that are not numbers of at most 0")
    return float(min(0.0, max(value, IMPOSSIBLE)))
