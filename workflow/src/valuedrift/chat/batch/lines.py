"""The lines of a batch's files: one request each in what is sent, one answer each in what comes back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

from httpx2 import Request as HttpRequest
from httpx2 import Response
from openai import APIStatusError

from valuedrift.chat import completion
from valuedrift.chat.ledger import Answer
from valuedrift.chat.malformed import MalformedAnswer
from valuedrift.config.chat import ChatJob

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

MAX_REQUESTS = 50_000
"""Most requests of a batch."""
MAX_BYTES = 200_000_000
"""Most bytes of its file."""
ROOM = 4_000
"""Bytes of an answer's line beside its tokens."""


def request_line(key: str, request: "Request", config: ChatJob) -> bytes:
    """Return the line of a batch's file that asks one question."""
    body = completion.body(key, request, config)
    return json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}).encode() + b"\n"


def split(keys: Iterable[str], questions: "Mapping[str, Request]", config: ChatJob) -> Iterator[list[str]]:
    """Yield the keys of each batch: as many questions as the limits on requests and bytes allow."""
    chunk, size = list[str](), 0
    for key in keys:
        length = len(request_line(key, questions[key], config))
        if chunk and (len(chunk) == MAX_REQUESTS or size + length > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(key)
        size += length
    if chunk:
        yield chunk


def lines_of(file: IO[bytes], most: int) -> Iterator[bytes]:
    """Yield the lines of a file of answers; a line of more than `most` bytes is an empty one."""
    while line := file.readline(most + 1):
        if len(line) > most and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(most + 1)
            line = b"\n"
        yield line


def item_of(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the key and the item that a line of answers holds, or None where it holds neither."""
    try:
        item = json.loads(line)
        return str(item["custom_id"]), item
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def answer_of(item: dict[str, Any], request: "Request", config: ChatJob, address: str, secret: str) -> Answer:
    """Return what the ledger keeps of an item, without the server's key, the `secret`.

    Raises UnusableAnswer where it is paid for and holds no completion, MalformedAnswer where the server gave no answer, and
    APIStatusError, as live requests do, where it refused to.
    """
    response = item.get("response")
    if not isinstance(response, dict):
        raise MalformedAnswer(_message(item.get("error")) or completion.NO_COMPLETION)
    body, status = response.get("body"), response.get("status_code")
    if not isinstance(status, int):
        raise MalformedAnswer(completion.NO_COMPLETION)
    if status != HTTPStatus.OK:  # in the SDK's form, so that failures.py decides what becomes of it
        said = body.get("error", body) if isinstance(body, dict) else body
        reply = Response(status, request=HttpRequest("POST", f"{address}/chat/completions"))
        raise APIStatusError(_message(said) or f"status {status}", response=reply, body=said)
    return completion.read(body, request, config, secret)


def _message(error: Any) -> str | None:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else None
