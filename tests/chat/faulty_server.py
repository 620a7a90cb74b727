"""A double of an OpenAI-compatible server that fails in every way at once; what it answers is a function of the question alone.

Run as a script, it prints its address and serves until its standard input closes; see `--help`. GET /counts says what it did:
by question, its `calls`, those that were `paid` (every answer of status 200, of use or not) and the `right` ones among them, and by
name the `faults`; `leaked` is how many requests came to the other origin, to which one of the faults redirects.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from contextlib import suppress

from chat_faults import FAULTS, Asked, Fault, Sent, completion, draw, encoded

LATENCY = 0.005
RIGHT = Fault(lambda asked: Sent(body=[encoded(completion(asked))]), right=True)


class FaultyServer:
    """Draws how each call fails. The first `calls` calls with a question may fail and later ones do not, so that every question can
    be answered; with `calls` 0 a question that is drawn fails in each, and in the same way."""

    def __init__(self, faults: list[str], share: float, seed: int, calls: int) -> None:
        self.names = faults
        self.share, self.seed, self.failing = share, seed, calls
        self.away = ""
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in ("calls", "paid", "right", "faults", "leaked")}

    def fault(self, question: str, call: int) -> str | None:
        """How the call with this question fails, counted from 1, if it does."""
        drawn = (self.seed, question, call if self.failing else 0)
        if (self.failing and call > self.failing) or draw(*drawn) >= self.share:
            return None
        return self.names[int(draw(*drawn, "kind") * len(self.names))]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                await writer.drain()
        writer.close()

    async def leak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count what comes to the other origin."""
        self.counts["leaked"]["requests"] += 1
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET"):
            return await send(Sent(body=[encoded(self.counts)], length=None), writer) and False
        names = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.splitlines())}
        body = json.loads(await reader.readexactly(int(names["content-length"])))
        asked = Asked(body["messages"][-1]["content"], names.get("authorization", "").removeprefix("Bearer "), self.away)
        self.counts["calls"][asked.question] += 1
        name = self.fault(asked.question, self.counts["calls"][asked.question])
        fault = FAULTS[name] if name else RIGHT
        if name:
            self.counts["faults"][name] += 1
        sent = fault.send(asked)
        await asyncio.sleep(sent.before or LATENCY)
        if sent.status == 200 and not (sent.dropped or sent.before or sent.dripped_head):  # for whose status nobody waits
            self.counts["paid"][asked.question] += 1
            self.counts["right"][asked.question] += fault.right
        return await send(sent, writer)


async def send(sent: Sent, writer: asyncio.StreamWriter) -> bool:
    """Send a response; return True if the connection stays open."""
    if sent.dropped:
        return False
    pieces = list(sent.body)
    length = sum(map(len, pieces)) if sent.length is None else sent.length
    lines = {"Content-Type": "application/json", "Content-Length": str(length), **sent.headers}
    head = "\r\n".join([f"HTTP/1.1 {sent.status} So", *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode()
    for piece in [*(map(bytes, zip(head)) if sent.dripped_head else [head]), *pieces]:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(sent.pause)
    return sent.length is None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve a chat model that fails.", epilog=f"The faults: {'; '.join(FAULTS)}.")
    usual = [name for name, fault in FAULTS.items() for _ in range(fault.weight)]
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=usual, metavar="NAME", help="those that come")
    parser.add_argument("--share", type=float, default=0.2, help="of the calls that fail (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of the calls that fail (default: 0)")
    parser.add_argument("--calls", type=int, default=2, help="with one question that may fail; 0: all, in one way (default: 2)")
    return parser.parse_args()


async def main() -> None:
    given = arguments()
    faulty = FaultyServer(given.faults, given.share, given.seed, given.calls)
    away = await asyncio.start_server(faulty.leak, "127.0.0.1", 0)
    faulty.away = f"http://127.0.0.1:{away.sockets[0].getsockname()[1]}/v1/chat/completions"
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # without a word on the stalls under way


if __name__ == "__main__":
    asyncio.run(main())
