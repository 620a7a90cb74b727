"""The server of a chat model: one that runs already, or one that the step starts on a free port."""

import asyncio
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from valuedrift.chat import watchdog
from valuedrift.config.chat import ChatConfig
from valuedrift.errors import UserError

OPENAI = "https://api.openai.com/v1"
POLL = 0.2
"""Seconds between two checks whether a server has started."""
PROBE = 5.0
"""Seconds that a check may take."""


@contextmanager
def serving(config: ChatConfig) -> Iterator[str]:
    """Yield the address of the chat model's server. A `server` of the config runs until the block ends, in this job's output."""
    if config.server is None:
        yield config.base_url or OPENAI
        return
    port = _free_port()
    command = [_filled(part, config, port) for part in config.server]
    if shutil.which(command[0]) is None:
        raise UserError(f"there is no command `{command[0]}` to serve {config.model}: install it, or correct the chat's `server`")
    # A session of its own, so that the watchdog can end the command's whole group without ending this job.
    process = subprocess.Popen([sys.executable, watchdog.__file__, *command], stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin
    try:
        _await(process, port, config.startup, shlex.join(command))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.stdin.close()
        process.wait()


def _filled(part: str, config: ChatConfig, port: int) -> str:
    # str.format would trip over the braces of JSON, in which servers take some of their options.
    for field, value in {"port": str(port), "model": config.model, "revision": config.revision or ""}.items():
        part = part.replace(f"{{{field}}}", value)
    return part


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, startup: float, command: str) -> None:
    deadline = time.monotonic() + startup
    while not _answers(port):
        if process.poll() is not None:
            raise UserError(f"the server ended with status {process.returncode} before it answered; see its output: {command}")
        if time.monotonic() > deadline:
            raise UserError(
                f"the server did not answer within {startup:g} s: see its output above, or raise the chat's `startup`: {command}"
            )
        time.sleep(POLL)


def _answers(port: int) -> bool:
    try:
        return asyncio.run(asyncio.wait_for(_status(port), PROBE)) == HTTPStatus.OK
    except (OSError, ValueError, IndexError):
        return False


async def _status(port: int) -> int:
    """Return the status with which a server answers what models it has; reads no more than the first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
