"""The server's half of a batch: uploading, creating, looking at and downloading, again while the server is busy or fails."""

import tempfile
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import islice
from typing import IO, TypeVar

from httpx2 import HTTPError
from httpx2 import Request as HttpRequest
from openai import APIConnectionError, APIError, NotFoundError, OpenAI
from openai.types import Batch
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from valuedrift.chat.failures import MalformedAnswer, explanation, is_transient, seconds_to_wait
from valuedrift.chat.server import OPENAI
from valuedrift.config.chat import ChatJob

T = TypeVar("T")
MAX_LISTED = 500
"""The latest batches of the account, among which one is searched that a killed job created and did not note."""


class ServerFailure(Exception):
    """The server does not do what is asked, also after all attempts; the message says why and what to do."""


class BatchServer:
    """The Batch API behind one address and key."""

    def __init__(self, config: ChatJob, key: str) -> None:
        self.config, self.address = config, config.base_url or OPENAI
        self.client = OpenAI(api_key=key, base_url=self.address, timeout=config.timeout, max_retries=0)

    def ensure(self, digest: str, lines: Callable[[], Iterable[bytes]], ended: Collection[str]) -> Batch:
        """Return the batch of these request lines, named by their digest: one that a killed job created, or a new one.

        Batches in `ended` do not count. The search is repeated before each attempt: a server whose reply was lost may have created
        the batch all the same.
        """
        missing = f"{self.address} has no Batch API for this key: set `chats.{self.config.name}.batch: false`"
        return self._call(lambda: self._found(digest, ended) or self._created(digest, lines()), missing)

    def look(self, name: str, missing: str) -> Batch:
        """Return a batch as it is now; `missing` is the message where the server has none of this name."""
        return self._call(lambda: _checked(self.client.batches.retrieve(name)), missing)

    def download(self, file: str, target: IO[bytes]) -> bool:
        """Write a file of answers to `target`, which is then read from its start; return False if the server no longer has it."""
        return self._call(partial(self._downloaded, file, target))

    def _found(self, digest: str, ended: Collection[str]) -> Batch | None:
        """Return a batch of just these questions that has answers, or may still get some."""
        for batch in islice(self.client.batches.list(limit=100), MAX_LISTED):
            if (batch.metadata or {}).get("valuedrift") != digest or batch.id in ended:
                continue
            done = batch.request_counts.completed if batch.request_counts else 0
            if batch.status in ("validating", "in_progress", "finalizing") or (batch.status in ("completed", "expired") and done):
                return batch
        return None

    def _created(self, digest: str, lines: Iterable[bytes]) -> Batch:
        with tempfile.TemporaryFile() as file:
            file.writelines(lines)
            file.seek(0)
            uploaded = self.client.files.create(file=(f"{digest[:16]}.jsonl", file), purpose="batch")
        return _checked(
            self.client.batches.create(
                input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"valuedrift": digest}
            )
        )

    def _downloaded(self, file: str, target: IO[bytes]) -> bool:
        target.seek(0)
        target.truncate()
        try:
            with self.client.files.with_streaming_response.content(file) as response:
                target.writelines(response.iter_bytes())
        except NotFoundError:  # servers keep files for a month or so
            return False
        target.seek(0)
        return True

    def _call(self, request: Callable[[], T], missing: str | None = None) -> T:
        """Make a request until it succeeds; raises ServerFailure, with the message `missing` at a 404."""
        retrying = Retrying(
            retry=retry_if_exception(is_transient), wait=seconds_to_wait, stop=stop_after_attempt(self.config.attempts),
            reraise=True,
        )  # fmt: skip
        try:
            return retrying(partial(_with_known_errors, request))
        except (APIError, MalformedAnswer) as error:
            message = missing if missing and isinstance(error, NotFoundError) else None
            raise ServerFailure(message or explanation(error, self.config.model, self.address)) from error


def _checked(batch: Batch) -> Batch:
    if not isinstance(batch, Batch) or not (batch.id and batch.status):  # the SDK lets pass whatever the server sends
        raise MalformedAnswer("an answer that is not a batch")
    return batch


def _with_known_errors(request: Callable[[], T]) -> T:
    """Make a request; errors that the SDK lets pass are raised as those that failures.py knows."""
    try:
        return request()
    except HTTPError as error:  # while a file is downloaded
        raise APIConnectionError(message=str(error), request=HttpRequest("GET", OPENAI)) from error
    except ValueError as error:
        raise MalformedAnswer(f"an answer that is not JSON ({error})") from error
