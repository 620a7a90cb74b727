"""Compare `chat.client` with OpenAI's bare SDK: calls per second and memory, in one run.

    python benchmarks/judge_api.py [--calls 10000] [--concurrency 64] [--latency 0.2]

A server on loopback, in its own process, answers after the latency with a chat completion and 20 top logprobs. All calls go
through the bare SDK (retries off, workers that share an iterator) and through `replies` with its ledger, in alternating
quarters, so that other work of the machine affects both; each way has its own process, whose imports are not counted.
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tabulate import tabulate

from valuedrift.chat.client import replies
from valuedrift.chat.messages import Request
from valuedrift.config.chat import ChatJob

MODEL = "talker"
TURNS = 4
PROMPT = "word " * 430  # tokens of a judge's question
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Load:
    address: str
    calls: int
    concurrency: int

    @property
    def requests(self) -> list[Request]:
        return [Request(f"{PROMPT}{number}", logprobs=20) for number in range(self.calls)]


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor: float
    """Seconds of processor time."""
    memory: list[float]
    """MiB, every tenth of a second."""


# --- the server ---


def response() -> bytes:
    """Return an HTTP response: a letter with the 20 likeliest tokens."""
    top = [{"token": f" t{rank}", "logprob": -0.1 - 0.7654321 * rank, "bytes": [32, 116, 48 + rank]} for rank in range(20)]
    place = {"token": "A", "logprob": -0.1, "bytes": [65], "top_logprobs": top}
    message = {"role": "assistant", "content": "A", "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": {"content": [place], "refusal": None}}
    usage = {"prompt_tokens": 430, "completion_tokens": 1, "total_tokens": 431}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice], "usage": usage}
    body = json.dumps(whole).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Server(asyncio.Protocol):
    """Answers each request of a connection after the latency."""

    def __init__(self, latency: float) -> None:
        self.latency, self.response, self.received = latency, response(), b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if length and len(body) == int(length):
            self.received = b""
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, self.response)


def serve(latency: float, address: Connection) -> None:
    """Answer on a free port until the process ends; send the server's address to `address`."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Server(latency), "127.0.0.1", 0, backlog=1024)
        address.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def served(latency: float) -> Iterator[str]:
    """Yield the address of a server in its own process."""
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=serve, args=(latency, sender), daemon=True)
    process.start()
    yield receiver.recv()
    process.terminate()
    process.join()


# --- the two ways ---


def bare(load: Load) -> Measured:
    """Measure the SDK alone, used as in its documentation."""
    from openai import AsyncOpenAI

    async def run() -> None:
        async with AsyncOpenAI(api_key="none", base_url=load.address, max_retries=0) as client:

            async def work() -> None:
                for request in waiting:
                    messages: Any = [{"role": "user", "content": request.user}]
                    await client.chat.completions.create(
                        model=MODEL, messages=messages, max_tokens=1, temperature=0, logprobs=True, top_logprobs=20
                    )

            await asyncio.gather(*(work() for _ in range(load.concurrency)))

    waiting = iter(load.requests)
    with measuring() as measured:
        asyncio.run(run())
    return measured[0]


def ours(load: Load) -> Measured:
    """Measure this study's client, which keeps answers in a ledger and reads the replies from it."""
    import valuedrift.chat.asking  # noqa: F401

    requests = load.requests
    with tempfile.TemporaryDirectory() as folder:
        config = ChatJob(
            name=MODEL, spending=folder, model=MODEL, base_url=load.address, max_tokens=1, concurrency=load.concurrency
        )
        with measuring() as measured:
            came = sum(
                reply.text == "A" and len(reply.places[0].likeliest) == 20
                for reply in replies(requests, config, Path(folder) / "ledger")
            )
    assert came == load.calls
    return measured[0]


@contextmanager
def measuring() -> Iterator[list[Measured]]:
    """Measure the block's time, and the process's memory every tenth of a second."""
    found: list[Measured] = []
    memory: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)

    looking = threading.Thread(target=look)
    looking.start()
    began, busy = time.perf_counter(), time.process_time()
    yield found
    seconds, processor = time.perf_counter() - began, time.process_time() - busy
    ended.set()
    looking.join()
    found.append(Measured(seconds, processor, memory))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    args = parser.parse_args()
    calls = args.calls // TURNS
    ways = {"bare SDK": bare, "ours": ours}
    found: dict[str, list[Measured]] = {way: [] for way in ways}
    with served(args.latency) as address, SPAWN.Pool(1) as one, SPAWN.Pool(1) as other:
        for _ in range(TURNS):
            for (way, ask), pool in zip(ways.items(), (one, other), strict=True):
                found[way].append(pool.apply(ask, (Load(address, calls, args.concurrency),)))
    speed = {way: calls * TURNS / sum(turn.seconds for turn in turns) for way, turns in found.items()}
    limit = args.concurrency / args.latency
    print(f"{calls * TURNS} calls each way, {args.concurrency} at once, latency {args.latency:g} s: at most {limit:.0f} calls/s\n")
    rows = []
    for way, turns in found.items():
        each = ", ".join(f"{calls / turn.seconds:.0f}" for turn in turns)
        processor = 1000 * sum(turn.processor for turn in turns) / (calls * TURNS)
        memory = [mebibytes for turn in turns for mebibytes in turn.memory]
        late = memory[len(memory) // 5 :]
        shares = [f"{speed[way] / reference:.1%}" for reference in (speed["bare SDK"], limit)]
        rows.append([way, f"{speed[way]:.0f}", each, *shares, f"{processor:.2f}", f"{late[0]:.0f}", f"{max(late):.0f}"])
    headers = ["way", "calls/s", "turns", "of the bare SDK", "of the limit", "processor ms a call", "MiB at 20%", "most after"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
