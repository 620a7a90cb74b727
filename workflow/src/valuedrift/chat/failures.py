"""What becomes of a failed request: asked again, a problem of this one question, or the end of the run."""

import contextlib
import email.utils
import time

from openai import APIStatusError, APITimeoutError
from tenacity import RetryCallState, wait_random_exponential

from valuedrift.chat.ledger import Answer

BACKOFF = wait_random_exponential(multiplier=1, max=60)
LONGEST_WAIT = 300.0
"""Seconds; a server that asks to wait longer, as for a limit per day, is not waited for."""
NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")


class Garbled(Exception):
    """The server's answer is no chat completion, or not one to this question."""


class Unusable(Garbled):
    """A whole answer, which is paid for, but another model's or without the logprobs that were asked for."""

    def __init__(self, told: str, paid: Answer) -> None:
        super().__init__(told)
        self.paid = paid
        """Its usage, and the chat that pays it."""


def passes(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, APIStatusError):
        busy = error.status_code in (408, 409, 429) or error.status_code >= 500
        return busy and not _no_quota(error) and (_asked_wait(error) or 0) <= LONGEST_WAIT
    return True  # no connection, no answer in time, or a garbled one


def is_busy(error: BaseException) -> bool:
    """Whether the server has more to do than it can."""
    return isinstance(error, APITimeoutError) or (isinstance(error, APIStatusError) and error.status_code in (429, 503))


def is_rejection(error: BaseException) -> bool:
    """Whether the server does not want this very question, such as one that is too long."""
    return isinstance(error, APIStatusError) and error.status_code in (400, 413, 422)


def wait(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else more with every attempt."""
    error = state.outcome.exception() if state.outcome else None
    asked = _asked_wait(error) if isinstance(error, APIStatusError) else None
    return BACKOFF(state) if asked is None else asked


def explained(error: BaseException, model: str, address: str) -> str:
    """In one line, what happened and what to do."""
    if isinstance(error, APIStatusError):
        if _no_quota(error):
            return f"the account at {address} has no quota left: add to it"
        match error.status_code:
            case 401:  # the server's own words may hold a part of the key
                return (
                    f"{address} refuses the key, or wants one: check the environment variable that the chat's `key_variable` names"
                )
            case 403:
                return f"{address} does not allow this key to use `{model}`: {word(error)}"
            case 404:
                return f"there is no model `{model}` at {address}: mend the chat's `model` or `base_url` ({word(error)})"
            case 429:
                return (
                    f"{address} is still over its limits: lower the chat's `requests_per_minute` or come back later ({word(error)})"
                )
    if isinstance(error, Unusable):
        return f"{address} {word(error)}"
    return f"{address} still fails: {word(error)}"


def word(error: BaseException) -> str:
    """What the server said, as one line without a full stop."""
    body = error.body if isinstance(error, APIStatusError) else None
    said = body.get("message") if isinstance(body, dict) else None
    return " ".join(str(said or error or type(error).__name__).split()).rstrip(".")


def _no_quota(error: APIStatusError) -> bool:
    return error.status_code == 402 or error.code in NO_QUOTA or error.type in NO_QUOTA


def _asked_wait(error: APIStatusError) -> float | None:
    headers = error.response.headers
    if milliseconds := headers.get("retry-after-ms"):
        with contextlib.suppress(ValueError):
            return max(0.0, float(milliseconds) / 1000)
    if asked := headers.get("retry-after"):
        with contextlib.suppress(ValueError):
            return max(0.0, float(asked))
        with contextlib.suppress(ValueError):
            return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    return None
