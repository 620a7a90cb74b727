"""A double of an OpenAI-compatible server: answers as a test plans it, and counts what it is asked."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """One response: a chat completion by default, or what `body` says; `drop` closes the connection without a word."""

    text: str | None = "Yes"
    finish_reason: str = "stop"
    refusal: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    delay: float = 0.0
    drop: bool = False
    model: str | None = None
    """Who says that it answers; by default the model that was asked."""
    likeliest: list[dict[str, float]] | None = None
    """At each place of the answer, tokens with their logprobs; the first of them stands there."""
    usage: tuple[int, int] | None = None
    """Tokens of question and answer."""

    def payload(self, model: str) -> bytes:
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        choices = [{"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": self._logprobs()}]
        usage = self.usage and dict(zip(("prompt_tokens", "completion_tokens"), self.usage, strict=True))
        whole = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": self.model or model,
            "choices": choices,
            "usage": usage,
        }
        return (json.dumps(whole) if self.body is None else self.body).encode()

    def _logprobs(self) -> Asked | None:
        if self.likeliest is None:
            return None
        places = [
            [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in place.items()] for place in self.likeliest
        ]
        return {"content": [place[0] | {"top_logprobs": place} for place in places], "refusal": None}


def error(status: int, message: str = "busy", code: str | None = None, **headers: str) -> Planned:
    """An error in OpenAI's form; headers such as retry_after="1"."""
    body = json.dumps({"error": {"message": message, "code": code, "type": None, "param": None}})
    return Planned(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


class ChatServerDouble(AbstractContextManager["ChatServerDouble"]):
    """Serves while its block lasts. `plan` maps the question's text to a response, or to several, one for each time it is asked."""

    def __init__(self, plan: Callable[[str], Planned | str | list[Planned]] = lambda _: "Yes") -> None:
        self.plan = plan
        self.asked: list[Asked] = []
        self.times: list[float] = []
        self.keys: set[str | None] = set()
        self.most_at_once = 0
        self._at_once, self._lock = 0, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "ChatServerDouble":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def questions(self) -> list[str]:
        """What was asked, each time that it was."""
        return [question(asked) for asked in self.asked]

    def response(self, asked: Asked, key: str | None) -> Planned:
        with self._lock:
            self.asked.append(asked)
            self.times.append(time.monotonic())
            self.keys.add(key)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            times = self.questions.count(question(asked))
        planned = self.plan(question(asked))
        if isinstance(planned, list):
            planned = planned[min(times, len(planned)) - 1]
        planned = Planned(planned) if isinstance(planned, str) else planned
        time.sleep(planned.delay)
        with self._lock:
            self._at_once -= 1
        return planned


def question(asked: Asked) -> str:
    """The text of the last message."""
    return str(asked["messages"][-1]["content"])


def _handler(double: ChatServerDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            planned = double.response(asked, self.headers["Authorization"])
            if planned.drop:
                self.close_connection = True
                return
            payload = planned.payload(asked["model"])
            self.send_response(planned.status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(payload)), **planned.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
