"""The lines of a batch's files: one request each in what is sent, one answer each in what comes back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from httpx2 import Request as HttpRequest
from httpx2 import Response
from openai import APIStatusError

from valuedrift.chat import completion
from valuedrift.chat.failures import MalformedAnswer
from valuedrift.chat.ledger import Answer
from valuedrift.config.chat import ChatJob

if TYPE_CHECKING:
    from valuedrift.chat.messages import Request

MAX_REQUESTS = 50_000
"""Most requests of a batch."""
MAX_BYTES = 200_000_000
"""Most bytes of its file."""
NO_COMPLETION = "an answer that is not a chat completion"


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


def item_of(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the key and the item that a line of answers holds, or None where it holds neither."""
    try:
        item = json.loads(line)
        return str(item["custom_id"]), item
    except (ValueError, KeyError, TypeError):
        return None


def answer_of(item: dict[str, Any], request: "Request", config: ChatJob, address: str) -> Answer:
    """Return what the ledger keeps of an item.

    Raises MalformedAnswer where it holds no completion, and APIStatusError, as live requests do, where the server refused it.
    """
    response = item.get("response")
    if not isinstance(response, dict):
        error = item.get("error")
        raise MalformedAnswer(str(error["message"]) if isinstance(error, dict) and "message" in error else NO_COMPLETION)
    body, status = response.get("body"), response.get("status_code")
    if not isinstance(status, int):
        raise MalformedAnswer(NO_COMPLETION)
    if status != HTTPStatus.OK:  # in the SDK's form, so that failures.py decides what becomes of it
        said = body.get("error", body) if isinstance(body, dict) else body
        reply = Response(status, request=HttpRequest("POST", f"{address}/chat/completions"))
        raise APIStatusError(str(said), response=reply, body=said)
    return completion.read(body, request, config)
