"""The connection to a server that nobody vouches for: each request has one deadline, each body a limit, and only what is needed of
a response gets through."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from httpx2 import AsyncByteStream, HTTPError, ReadError, ReadTimeout, Request, Response
from openai import DefaultAsyncHttpxClient

SLOWEST = 100_000.0
"""Bytes per second. A file of a batch, of up to 200 MB where it is sent, may take this much longer than `timeout`."""
ERROR = 50_000
"""Bytes of an error's body, which is a line of text."""
HEADERS = re.compile(r"retry-after(-ms)?|x-ratelimit-.*|location|content-type")
"""What is read of a response's headers; the others may repeat the key."""


class Wire(DefaultAsyncHttpxClient):
    """An HTTP client for the SDK. Its timeouts hold for a request as a whole, from the connection to the last byte.

    A body is cut at `limit` bytes. A streamed one, which is a file, ends in an error after `file_limit` bytes, and may take a
    second longer for every `SLOWEST` of them. A compressed one is refused: 1 MB may inflate to 1 GB. Redirects are not followed:
    the questions and the key would go along. What breaks a body off once its status came is in the response's extensions as
    "broken", and the answer is paid for.
    """

    def __init__(self, limit: int, file_limit: int = 0, trust_env: bool = True) -> None:
        super().__init__(trust_env=trust_env, follow_redirects=False, headers={"Accept-Encoding": "identity"})
        self.limit, self.file_limit = limit, file_limit

    async def send(self, request: Request, *, stream: bool = False, **options: Any) -> Response:
        """Send a request and return its response, whole, or to be read where `stream` asks for that and the status is a success."""
        deadline = asyncio.get_running_loop().time() + request.extensions["timeout"]["read"]
        try:
            async with asyncio.timeout_at(deadline):
                response = await super().send(request, stream=True, **options)
        except TimeoutError as error:
            raise ReadTimeout("no answer in time", request=request) from error
        given: dict[str, Any] = {
            "headers": [(name, value.partition(";")[0]) for name, value in response.headers.items() if HEADERS.fullmatch(name)],
            "request": request,
        }
        if stream and response.is_success:
            return Response(response.status_code, stream=_Body(response, deadline, self.file_limit, SLOWEST), **given)
        content, broken = bytearray(), None
        try:
            async for chunk in _Body(response, deadline, self.limit if response.is_success else ERROR):
                content += chunk
        except HTTPError as error:
            broken = error
        return Response(response.status_code, content=bytes(content), extensions={"broken": broken}, **given)


class _Body(AsyncByteStream):
    """The bytes of a response; raises ReadTimeout after the deadline and ReadError beyond the limit."""

    def __init__(self, response: Response, deadline: float, limit: int, slowest: float | None = None) -> None:
        self.response, self.deadline, self.limit, self.slowest = response, deadline, limit, slowest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks, size = self.response.aiter_raw(), 0
        try:
            if self.response.headers.get("Content-Encoding", "identity") != "identity":
                raise ReadError("it is compressed, which was not asked for")
            while (chunk := await self._next(chunks, size)) is not None:
                size += len(chunk)
                if size > self.limit:
                    raise ReadError(f"it is larger than {self.limit:,} bytes")
                yield chunk
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        await self.response.aclose()

    async def _next(self, chunks: AsyncIterator[bytes], size: int) -> bytes | None:
        try:
            async with asyncio.timeout_at(self.deadline + (size / self.slowest if self.slowest else 0)):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise ReadTimeout("it was not whole in time") from error
