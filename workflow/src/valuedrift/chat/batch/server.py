"""The server's half of a batch: uploading, creating, looking at and downloading, again while the server is busy or fails."""

import asyncio
import re
import tempfile
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import partial
from typing import IO, Any, TypeVar

from httpx2 import HTTPError
from httpx2 import Request as HttpRequest
from openai import APIConnectionError, APIError, AsyncOpenAI, NotFoundError
from openai.types import Batch
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from valuedrift.chat.credentials import hidden
from valuedrift.chat.failures import explanation, is_transient, seconds_to_wait
from valuedrift.chat.malformed import MalformedAnswer
from valuedrift.chat.server import OPENAI
from valuedrift.chat.wire import SLOWEST, Wire
from valuedrift.config.chat import ChatJob

T = TypeVar("T")
MAX_LISTED = 500
"""The latest batches of the account, among which one is searched that a killed job created and did not note."""
LONGEST_REPLY = 8_000_000
"""Bytes of a reply that is no file: a hundred batches, each with its metadata and errors."""


class ServerFailure(Exception):
    """The server does not do what is asked, also after all attempts; the message says why and what to do."""


class BatchServer:
    """The Batch API behind one address and key, where a file of answers has up to `file_limit` bytes."""

    def __init__(self, config: ChatJob, key: str, file_limit: int) -> None:
        self.config, self.key, self.address = config, key, config.base_url or OPENAI
        self.runner = asyncio.Runner()  # only asynchronous requests can have one deadline
        wire = Wire(LONGEST_REPLY, file_limit)
        self.client = AsyncOpenAI(api_key=key, http_client=wire, base_url=self.address, timeout=config.timeout, max_retries=0)

    def close(self) -> None:
        """Close all connections."""
        self.runner.run(self.client.close())
        self.runner.close()

    def ensure(self, digest: str, lines: Callable[[], Iterable[bytes]], ended: Collection[str]) -> Batch:
        """Return the batch of these request lines, named by their digest: one that a killed job created, or a new one.

        Batches in `ended` do not count. The search is repeated before each attempt: a server whose reply was lost may have created
        the batch all the same.
        """
        missing = f"{self.address} has no Batch API for this key: set `chats.{self.config.name}.batch: false`"
        return self._call(lambda: self._ensured(digest, lines, ended), missing)

    def look(self, name: str, missing: str) -> Batch:
        """Return a batch as it is now; `missing` is the message where the server has none of this name."""
        return self._call(lambda: self._looked_at(name), missing)

    def download(self, file: str, target: IO[bytes]) -> bool:
        """Write a file of answers to `target`, which is then read from its start; return False if the server no longer has it."""
        return self._call(lambda: self._downloaded(file, target))

    async def _ensured(self, digest: str, lines: Callable[[], Iterable[bytes]], ended: Collection[str]) -> Batch:
        return await self._found(digest, ended) or await self._created(digest, lines())

    async def _found(self, digest: str, ended: Collection[str]) -> Batch | None:
        """Return a batch of just these questions that has answers, or may still get some."""
        listed = 0
        async for batch in self.client.batches.list(limit=100):
            if (listed := listed + 1) > MAX_LISTED:
                break
            if (batch.metadata or {}).get("valuedrift") != digest or batch.id in ended:
                continue
            done = batch.request_counts.completed if batch.request_counts else 0
            if batch.status in ("validating", "in_progress", "finalizing") or (batch.status in ("completed", "expired") and done):
                return batch
        return None

    async def _created(self, digest: str, lines: Iterable[bytes]) -> Batch:
        with tempfile.TemporaryFile() as file:
            file.writelines(lines)
            longest = self.config.timeout + file.tell() / SLOWEST
            file.seek(0)
            uploaded = await self.client.files.create(file=(f"{digest[:16]}.jsonl", file), purpose="batch", timeout=longest)
        return self._checked(
            await self.client.batches.create(
                input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"valuedrift": digest}
            )
        )

    async def _looked_at(self, name: str) -> Batch:
        return self._checked(await self.client.batches.retrieve(name))

    async def _downloaded(self, file: str, target: IO[bytes]) -> bool:
        target.seek(0)
        target.truncate()
        try:
            async with self.client.files.with_streaming_response.content(file) as response:
                async for some in response.iter_bytes():
                    target.write(some)
        except NotFoundError:  # servers keep files for a month or so
            return False
        target.seek(0)
        return True

    def _checked(self, batch: Batch) -> Batch:
        """Return the batch, if it is one: the SDK lets pass whatever the server sends, and its name is stored and printed."""
        name = batch.id if isinstance(batch, Batch) else None
        if (
            not isinstance(name, str)
            or not re.fullmatch(r"[\w.:-]{1,200}", name)
            or hidden(name, self.key) != name
            or not batch.status
        ):
            raise MalformedAnswer("returns what is not a batch")
        return batch

    def _call(self, request: Callable[[], Coroutine[Any, Any, T]], missing: str | None = None) -> T:
        """Make a request until it succeeds; raises ServerFailure, with the message `missing` at a 404."""
        retrying = Retrying(
            retry=retry_if_exception(is_transient), wait=seconds_to_wait, stop=stop_after_attempt(self.config.attempts),
            reraise=True,
        )  # fmt: skip
        try:
            return retrying(partial(_with_known_errors, lambda: self.runner.run(request())))
        except (APIError, MalformedAnswer) as error:
            message = missing if missing and isinstance(error, NotFoundError) else None
            raise ServerFailure(message or explanation(error, self.config.model, self.address)) from error


def _with_known_errors(request: Callable[[], T]) -> T:
    """Make a request; errors that the SDK lets pass are raised as those that failures.py knows."""
    try:
        return request()
    except HTTPError as error:  # while a file is downloaded
        raise APIConnectionError(message=str(error), request=HttpRequest("GET", OPENAI)) from error
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer("returns what is not JSON", str(error)) from error
