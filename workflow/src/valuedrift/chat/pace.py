"""How fast requests are sent: at the config's pace, within the server's limits, and fewer at once while it is busy."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from aiolimiter import AsyncLimiter
from openai import APIStatusError

from valuedrift.chat.failures import is_busy
from valuedrift.config.chat import ChatConfig

LONGEST_RESET = 60.0
"""Seconds. Limits are per minute; over a limit per day a server sends an error."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Stopped(Exception):
    """Raised to a question whose turn did not come before the run stopped."""


class Pace:
    """Gives turns to questions, one after the other.

    How many may be under way adapts as in TCP (Chiu and Jain 1989): half as many when the server says that it is busy, at most
    once per round trip, and one more for each window of answers, up to the config's concurrency.
    """

    def __init__(self, config: ChatConfig) -> None:
        self.most = self.permitted = float(config.concurrency)
        self.under_way = 0
        self.halved = self.closed_until = 0.0
        # Spaced evenly, by the request and by the second: a minute's worth at once breaks limits per second.
        requests, tokens = config.requests_per_minute, config.tokens_per_minute
        self.requests = AsyncLimiter(1, 60 / requests) if requests else None
        self.tokens = AsyncLimiter(tokens / 60, 1) if tokens else None
        self.gate, self.freed, self.stopped = asyncio.Lock(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def turn(self, tokens: float) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the block; `tokens` estimates what the question takes. Raises Stopped."""
        await self._enter(tokens)
        started = time.monotonic()
        try:
            yield
            self.permitted = min(self.most, self.permitted + 1 / self.permitted)
        except Exception as error:
            if isinstance(error, APIStatusError):
                self.apply_limits(error.response.headers, tokens)
            if is_busy(error) and started >= self.halved:
                self.permitted, self.halved = max(1.0, self.permitted / 2), time.monotonic()
            raise
        finally:
            self.under_way -= 1
            self.freed.set()

    def apply_limits(self, headers: Mapping[str, str], tokens: float) -> None:
        """Hold all questions until a limit resets, where a response's headers leave no room for one like this."""
        for limit, needed in {"requests": 1.0, "tokens": tokens}.items():
            left, reset = headers.get(f"x-ratelimit-remaining-{limit}"), headers.get(f"x-ratelimit-reset-{limit}")
            with suppress(ValueError):
                if left is not None and reset is not None and float(left) < needed:
                    self.closed_until = max(self.closed_until, time.monotonic() + min(seconds(reset), LONGEST_RESET))

    async def pause(self, length: float) -> None:
        """Sleep for `length` seconds, or until the run stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopped.wait(), length)

    async def _enter(self, tokens: float) -> None:
        async with self.gate:  # only the first in the queue waits for a limit
            while self.under_way + 1 > self.permitted:
                self.freed.clear()
                await self.freed.wait()
            if self.requests and not self.stopped.is_set():
                await self.requests.acquire()
            while self.tokens and tokens > 0 and not self.stopped.is_set():
                part = min(tokens, self.tokens.max_rate)
                await self.tokens.acquire(part)
                tokens -= part
            while (left := self.closed_until - time.monotonic()) > 0 and not self.stopped.is_set():
                await self.pause(left)
            if self.stopped.is_set():
                raise Stopped
            self.under_way += 1


def seconds(text: str) -> float:
    """Return the seconds of a duration as servers write it: 6m0s, 1.5s, 20ms, or a number. Raises ValueError at anything else."""
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return float(text)
    return sum(float(number) * UNITS[unit] for number, unit in parts)
