"""A double of an OpenAI-compatible server that fails in every way at once; what it answers is a function of the question alone.

Run as a script, it prints its address and serves until its standard input closes; GET /counts says what it did.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

MODEL = "talker"
SHARE = 0.2
"""Of the calls that fail; the fourth call with one question and later ones do not, so that every question can be answered."""
FAULTS = {
    "429": 5, "429 with Retry-After": 5, "500": 5, "503": 5, "dropped": 5, "cut off": 5, "30 s stall": 1, "truncated JSON": 5,
    "no logprobs": 5, "no choices": 5, "wrong model": 5,
}  # fmt: skip
"""Fault → its weight among them."""
LATENCY = 0.005
STALL = 30.0


def draw(*of: object) -> float:
    """A number in [0, 1) that is the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:6]) / 2**48


def fault(question: str, call: int) -> str | None:
    """How the call with this question fails, counted from 1, if it does."""
    if call > 3 or draw(question, call) >= SHARE:
        return None
    faults = [name for name, weight in FAULTS.items() for _ in range(weight)]
    return faults[int(draw(question, call, "kind") * len(faults))]


def right(question: str) -> tuple[str, list[tuple[str, float]]]:
    """The one right answer: a letter, and the likeliest tokens with their logprobs."""
    letter = "ABC"[int(draw(question) * 3)]
    return letter, [(letter, -0.1), *((f"t{rank}", round(-3 - rank - draw(question, rank), 6)) for rank in range(19))]


def completion(question: str, model: str = MODEL, logprobs: bool = True) -> dict[str, Any]:
    letter, likeliest = right(question)
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in likeliest]
    content = [{"token": letter, "logprob": -0.1, "bytes": None, "top_logprobs": top}]
    choice = {"index": 0, "message": {"role": "assistant", "content": letter, "refusal": None}, "finish_reason": "stop"}
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": model,
        "choices": [choice | {"logprobs": {"content": content, "refusal": None} if logprobs else None}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }  # fmt: skip


def failed(kind: str, question: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers. What looks like an answer is a wrong one, which must not be taken for the question's."""
    wrong = completion(f"not {question}", "babbler" if kind == "wrong model" else MODEL, logprobs=kind != "no logprobs")
    match kind:
        case "429" | "429 with Retry-After" | "500" | "503":
            headers = {"Retry-After": "1"} if "Retry-After" in kind else {}
            return int(kind[:3]), b'{"error": {"message": "busy", "code": null, "type": null}}', headers
        case "truncated JSON":
            return 200, json.dumps(wrong).encode()[:-40], {}
        case "no choices":
            return 200, json.dumps(wrong | {"choices": []}).encode(), {}
    return 200, json.dumps(wrong).encode(), {}


class FaultyServer:
    """Counts, by question, its calls and the whole, right answers that it made: those are the ones to be paid for."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if head.startswith("get"):
            counts = {"calls": self.calls, "paid": self.paid, "faults": self.faults}
            writer.write(response(200, json.dumps(counts).encode(), {"Connection": "close"}))
            return False
        asked = json.loads(await reader.readexactly(int(head.split("content-length:")[1].split()[0])))
        question = asked["messages"][-1]["content"]
        self.calls[question] += 1
        kind = fault(question, self.calls[question])
        if kind:
            self.faults[kind] += 1
        await asyncio.sleep(STALL if kind == "30 s stall" else LATENCY)
        if kind is None:
            self.paid[question] += 1
            writer.write(response(200, json.dumps(completion(question)).encode(), {}))
            return True
        if kind != "dropped":
            whole = response(*failed(kind, question))
            writer.write(whole[:-30] if kind == "cut off" else whole)
        return kind not in {"dropped", "cut off"}


def response(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return "\r\n".join([f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode() + body


async def main() -> None:
    server = await asyncio.start_server(FaultyServer().serve, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # without a word on the stalls under way


if __name__ == "__main__":
    asyncio.run(main())
