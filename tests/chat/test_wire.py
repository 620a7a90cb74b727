import asyncio
from contextlib import asynccontextmanager

import pytest
from httpx2 import ReadError, ReadTimeout

from valuedrift.chat import wire
from valuedrift.chat.wire import Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n"


@asynccontextmanager
async def server(pieces, length=None, headers=b"", pause=0.0):
    """Yields the address of a server that sends these pieces, with a pause before each, and what it was asked."""
    asked = []

    async def answer(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(HEAD % (sum(map(len, pieces)) if length is None else length, headers))
        for piece in pieces:
            await asyncio.sleep(pause)
            writer.write(piece)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked


def fetched(stream=False, timeout=5.0, limit=10_000, **sent):
    """The response of a server that sends this, and what the server was asked; of a stream, the body alone."""

    async def run():
        async with server(**sent) as (address, asked), Wire(limit, limit) as client:
            response = await client.send(client.build_request("GET", address, timeout=timeout), stream=stream)
            return (b"".join([some async for some in response.aiter_bytes()]) if stream else response), asked

    return asyncio.run(run())


def test_nothing_compressed_is_asked_for_and_only_the_headers_that_are_read_get_through():
    headers = b"X-Key: secret\r\nSet-Cookie: secret\r\nRetry-After: 7\r\nX-RateLimit-Remaining-Tokens: 5\r\nContent-Type: text/x; charset=zip\r\n"
    response, asked = fetched(pieces=[b"{}"], headers=headers)
    assert "accept-encoding: identity" in asked[0].lower()
    assert dict(response.headers) == {
        "retry-after": "7", "x-ratelimit-remaining-tokens": "5", "content-type": "text/x", "content-length": "2",
    }  # fmt: skip
    assert (response.content, response.extensions["broken"]) == (b"{}", None)


@pytest.mark.parametrize(
    ("sent", "kept", "why"),
    [
        ({"pieces": [b"{", b"}"], "length": 9}, b"{}", "without sending complete"),
        ({"pieces": [b"x" * 900, b"x" * 900], "limit": 1000, "pause": 0.05}, b"x" * 900, "larger than 1,000 bytes"),
        ({"pieces": [b"zip"], "headers": b"Content-Encoding: gzip\r\n"}, b"", "compressed"),
        ({"pieces": [b"x"] * 9, "pause": 0.2, "timeout": 0.5}, b"xxx", "not whole in time"),
    ],
    ids=["lost", "large", "compressed", "slow"],
)
def test_what_breaks_a_body_after_its_status_is_said_with_the_response(sent, kept, why):
    response, _ = fetched(**sent)
    assert response.status_code == 200 and kept.startswith(response.content)  # on a busy machine, less of it came in time
    assert why in str(response.extensions["broken"])


def test_a_file_may_take_longer_than_the_timeout_while_it_comes_fast_enough(monkeypatch):
    sent = {"stream": True, "pieces": [b"x" * 100] * 8, "pause": 0.1, "timeout": 0.5}
    monkeypatch.setattr(wire, "SLOWEST", 500.0)
    assert fetched(**sent)[0] == b"x" * 800
    monkeypatch.setattr(wire, "SLOWEST", 50_000.0)
    with pytest.raises(ReadTimeout, match="not whole in time"):
        fetched(**sent)


def test_a_file_ends_in_an_error_beyond_its_limit():
    with pytest.raises(ReadError, match="larger than 1,000 bytes"):
        fetched(stream=True, limit=1000, pieces=[b"x" * 600] * 3)
