import asyncio
import itertools
import time

import httpx2
import pytest
from openai import APITimeoutError, InternalServerError, RateLimitError

from chat_double import ChatServerDouble, Planned, error
from valuedrift.chat import pace as module
from valuedrift.chat.client import ask
from valuedrift.chat.messages import Request
from valuedrift.chat.pace import Pace, Stopped, seconds

ASKED = httpx2.Request("POST", "http://x")


def failure(status):
    if status is None:
        return APITimeoutError(ASKED)
    kind = RateLimitError if status == 429 else InternalServerError
    return kind("busy", response=httpx2.Response(status, request=ASKED), body=None)


async def turn(pace, error=None, tokens=1.0):
    try:
        async with pace.turn(tokens):
            await asyncio.sleep(0.001)
            if error:
                raise error
    except (RateLimitError, InternalServerError, APITimeoutError):
        pass


@pytest.mark.parametrize(("status", "left"), [(429, 8), (503, 8), (None, 8), (500, 16)])
def test_a_busy_server_halves_how_many_are_asked_once_per_round_trip(chat, status, left):
    async def run():
        pace = Pace(chat("http://x/v1", concurrency=16))
        await asyncio.gather(*(turn(pace, failure(status)) for _ in range(16)))
        assert pace.permitted == left
        await turn(pace, failure(status))
        assert pace.permitted == (left if status == 500 else left / 2)

    asyncio.run(run())


def test_answers_raise_it_again_by_one_a_window_to_the_agreed_number_and_it_never_ends_at_none(chat):
    async def run():
        pace = Pace(chat("http://x/v1", concurrency=4))
        for _ in range(9):
            await turn(pace, failure(429))
        assert pace.permitted == 1
        await turn(pace)
        assert pace.permitted == 2
        for _ in range(20):
            await turn(pace)
        assert pace.permitted == 4

    asyncio.run(run())


def test_no_more_are_under_way_than_permitted_and_none_is_forgotten(chat):
    async def run():
        pace, most, done = Pace(chat("http://x/v1", concurrency=10)), 0, 0
        pace.permitted = 3.5

        async def ask():
            nonlocal most, done
            async with pace.turn(1):
                most = max(most, pace.under_way)
                pace.permitted = 3.5
                await asyncio.sleep(0.001)
                done += 1

        await asyncio.gather(*(ask() for _ in range(30)))
        assert (most, done, pace.under_way) == (3, 30, 0)

    asyncio.run(run())


def test_questions_are_paced_evenly(chat):
    async def run():
        pace, times = Pace(chat("http://x/v1", requests_per_minute=1200)), []

        async def ask():
            async with pace.turn(1):
                times.append(time.monotonic())

        await asyncio.gather(*(ask() for _ in range(6)))
        assert all(later - earlier >= 0.045 for earlier, later in itertools.pairwise(times))

    asyncio.run(run())


def test_tokens_are_paced_evenly_also_where_one_question_takes_more_than_a_second_has(chat):
    async def run():
        pace = Pace(chat("http://x/v1", tokens_per_minute=60_000))  # 1,000 a second, of which the first come at once
        began = time.monotonic()
        for _ in range(3):
            await turn(pace, tokens=500)
        assert time.monotonic() - began >= 0.45
        await turn(pace, tokens=1_300)
        assert time.monotonic() - began >= 1.7

    asyncio.run(run())


def test_a_stopped_run_gives_no_turns(chat):
    async def run():
        pace = Pace(chat("http://x/v1", requests_per_minute=1))
        await turn(pace)
        pace.stopped.set()
        with pytest.raises(Stopped):
            await turn(pace)  # without the minute's wait

    asyncio.run(run())


@pytest.mark.parametrize(
    ("written", "length"),
    [("6m0s", 360), ("1s", 1), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("0.25", 0.25), ("1m30s", 90), ("0s", 0)],
)
def test_lengths_of_time_are_read_as_servers_write_them(written, length):
    assert seconds(written) == pytest.approx(length)


@pytest.mark.parametrize("written", ["", "soon", "2026-11-21T00:00:00Z", "1s later"])
def test_other_words_are_no_length_of_time(written):
    with pytest.raises(ValueError, match="could not convert"):
        seconds(written)


@pytest.mark.parametrize("first", [Planned, error], ids=["answer", "429"])
@pytest.mark.parametrize(("limit", "left"), [("requests", "0"), ("tokens", "31")])
def test_where_nothing_remains_the_next_question_waits_for_the_reset(chat, tmp_path, first, limit, left):
    headers = {f"x-ratelimit-remaining-{limit}": left, f"x-ratelimit-reset-{limit}": "300ms"}
    said = Planned(headers=headers) if first is Planned else error(429, **headers)
    with ChatServerDouble(lambda question: [said, Planned()] if question == "a" else Planned()) as server:
        ask([Request("a"), Request("b")], chat(server.base_url, concurrency=1), tmp_path / "answers.sqlite")
    assert server.times[1] - server.times[0] >= 0.28


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "1h"},
        {"x-ratelimit-remaining-tokens": "5000", "x-ratelimit-reset-tokens": "1h"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "later"},
        {"x-ratelimit-remaining-requests": "0"},
    ],
)
def test_limits_with_room_left_and_words_that_are_none_hold_nothing(chat, headers):
    async def run():
        pace = Pace(chat("http://x/v1"))
        pace.apply_limits(headers, 40)
        assert pace.closed_until == 0

    asyncio.run(run())


def test_a_reset_of_hours_is_looked_at_again_after_a_minute(chat):
    async def run():
        pace = Pace(chat("http://x/v1"))
        pace.apply_limits({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "8h"}, 40)
        assert pace.closed_until <= time.monotonic() + module.LONGEST_RESET

    asyncio.run(run())
