"""What becomes of a failed request: asked again, a problem of this one question, or the end of the run."""

import contextlib
import email.utils
import time
from urllib.parse import urlsplit

from httpx2 import TimeoutException
from openai import APIStatusError, APITimeoutError
from tenacity import RetryCallState, wait_random_exponential

from valuedrift.chat.malformed import MalformedAnswer

BACKOFF = wait_random_exponential(multiplier=1, max=60)
LONGEST_WAIT = 300.0
"""Seconds. A server that asks for a longer wait, as for a limit per day, ends the run."""
ACCOUNT_CODES = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
PAID_TRIES = 3
"""How often an answer is paid for that cannot be used, before the question stays without one."""
MAX_UNUSABLE = 20
"""Unusable answers without a good one. With this many the settings are wrong."""


def is_transient(error: BaseException) -> bool:
    """Return True if the same request may succeed later."""
    if isinstance(error, APIStatusError):
        busy = error.status_code in (408, 409, 429) or error.status_code >= 500
        return busy and not _no_quota(error) and (_asked_wait(error) or 0) <= LONGEST_WAIT
    return True  # no connection, no answer in time, or a malformed one


def is_busy(error: BaseException) -> bool:
    """Return True if the server is overloaded, or too slow to answer in time."""
    late = isinstance(error, APITimeoutError) or isinstance(error.__cause__, TimeoutException)
    return late or (isinstance(error, APIStatusError) and error.status_code in (429, 503))


def is_rejection(error: BaseException) -> bool:
    """Return True if the server rejects this one question, such as one that is too long."""
    return isinstance(error, APIStatusError) and error.status_code in (400, 413, 422)


def seconds_to_wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: what the server asks for, else exponentially more with every attempt."""
    error = state.outcome.exception() if state.outcome else None
    asked = _asked_wait(error) if isinstance(error, APIStatusError) else None
    return BACKOFF(state) if asked is None else asked


def explanation(error: BaseException, model: str, address: str) -> str:
    """Return one line that says what happened and what to do."""
    said = server_message(error)
    if isinstance(error, APIStatusError):
        if _no_quota(error):
            return f"the account at {address} has no quota left: add to it"
        match error.status_code:
            case 301 | 302 | 303 | 307 | 308:
                target = _origin(error.response.headers.get("location", ""))
                return (
                    f"{address} redirects to {target}, where neither questions nor a key are sent: set the chat's `base_url` to "
                    "the address of the server itself"
                )
            case 401:  # the server's own words may hold a part of the key
                return (
                    f"{address} refuses the key, or wants one: check the environment variable that the chat's `key_variable` names"
                )
            case 403:
                return f"{address} does not allow this key to use `{model}`: {said}"
            case 404:
                return f"there is no model `{model}` at {address}: fix the chat's `model` or `base_url` ({said})"
            case 429:
                return f"{address} is still over its limits: lower the chat's `requests_per_minute` or come back later ({said})"
    return f"{address} {said}" if isinstance(error, MalformedAnswer) else f"{address} still fails: {said}"


def server_message(error: BaseException) -> str:
    """Return what the server said, without a full stop; it comes from outside, so `redacted` makes a line of it."""
    body = error.body if isinstance(error, APIStatusError) else None
    said = body.get("message") if isinstance(body, dict) else None
    return (said if said and isinstance(said, str) else str(error) or type(error).__name__).rstrip(".")


def _origin(location: str) -> str:
    """Return scheme, host and port of an address, which may hold secrets in its other parts."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(location)
        if parts.hostname:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "another path"


def _no_quota(error: APIStatusError) -> bool:
    return error.status_code == 402 or error.code in ACCOUNT_CODES or error.type in ACCOUNT_CODES


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
