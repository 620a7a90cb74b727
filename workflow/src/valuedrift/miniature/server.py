"""Serves the chat model: the grammar behind a small OpenAI-compatible server, under whichever model name a request gives."""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from valuedrift.miniature.replies import reply

MODEL = "grammar"


def run(*, port: int) -> None:
    """Serve the model on this machine until the process ends."""
    Server(("127.0.0.1", port), Handler).serve_forever()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # with the default of 5, a client that opens 16 connections at once waits a second for some of them


class Handler(BaseHTTPRequestHandler):
    """/v1/models and /v1/chat/completions."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # sends head and body together; separately, each reply waits 40 ms for the client's acknowledgement

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._fail(HTTPStatus.NOT_FOUND, f"unknown path {self.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/chat/completions":
            return self._fail(HTTPStatus.NOT_FOUND, f"unknown path {self.path}")
        try:
            asked = json.loads(body)
            said = {message["role"]: message["content"] for message in asked["messages"]}
            text = reply(said.get("system"), said["user"], asked.get("seed"))
        except (ValueError, KeyError, TypeError) as error:
            return self._fail(HTTPStatus.BAD_REQUEST, f"not a chat completion request: {error!r}")
        self._send(
            {
                "id": "chatcmpl-grammar", "object": "chat.completion", "created": 0, "model": asked.get("model", MODEL),
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            }
        )  # fmt: skip

    def log_message(self, *_: object) -> None:
        """Log nothing, not a line per request."""

    def _fail(self, status: HTTPStatus, message: str) -> None:
        self._send({"error": {"message": message}}, status)

    def _send(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
