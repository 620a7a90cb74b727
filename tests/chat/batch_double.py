"""A double of OpenAI's Batch API: keeps files and batches, answers as a test plans it, and counts what is paid."""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chat_double import Asked, Planned, question

Reply = tuple[int, Any]
GONE: Reply = (404, {"error": {"message": "No such thing", "type": "invalid_request_error", "code": None}})


class BatchServerDouble(AbstractContextManager["BatchServerDouble"]):
    """Serves while its block lasts. `plan` maps a question's text to its response, or to several, one for each time it is asked;
    a None leaves it unanswered, as where a batch expires. `faults` are replies that come, once each and in order, in place of
    the one to a request that begins with the words of their key, such as "POST /batches"."""

    def __init__(
        self, plan: Callable[[str], Planned | str | list[Planned | None] | None] = lambda _: "Yes", looks: int = 1
    ) -> None:
        self.plan, self.looks = plan, looks  # a batch ends after this many looks at it
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, list[Asked]] = {}
        self.asked: Counter[str] = Counter()
        """How often each question stood in a batch that ended."""
        self.paid: Counter[str] = Counter()
        """How often it was answered."""
        self.faults: dict[str, list[Reply]] = {}
        self.fails_whole: dict[int, str] = {}
        """Number of a batch, from 0 → the message with which it fails."""
        self.lost_replies = 0
        """The next batches that are created while the reply is lost."""
        self.most_open = 0
        self.keys: set[str | None] = set()
        self.log: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "BatchServerDouble":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, method: str, target: str, sent: bytes, kind: str, key: str | None) -> Reply:
        """Status and JSON, or bytes, of the reply to a request; status 0 closes the connection without a word."""
        path, query = urlsplit(target).path.removeprefix("/v1"), parse_qs(urlsplit(target).query)
        with self._lock:
            self.keys.add(key)
            self.log.append(f"{method} {path}")
            for words, replies in self.faults.items():
                if replies and f"{method} {path}".startswith(words):
                    return replies.pop(0)
            match method, path.strip("/").split("/"):
                case "POST", ["files"]:
                    return self._upload(sent, kind)
                case "GET", ["files", name, "content"]:
                    return (200, self.files[name]) if name in self.files else GONE
                case "POST", ["batches"]:
                    return self._create(json.loads(sent))
                case "GET", ["batches"]:
                    return self._list(query)
                case "GET", ["batches", name]:
                    return self._look(name) if name in self.batches else GONE
        return GONE

    def _upload(self, sent: bytes, kind: str) -> Reply:
        boundary = re.search("boundary=([^;]+)", kind)
        assert boundary
        parts = [part.partition(b"\r\n\r\n") for part in sent.split(b"--" + boundary[1].encode())[1:-1]]
        content = next(content for head, _, content in parts if b'name="file"' in head).removesuffix(b"\r\n")
        return 200, {"id": self._file(content), "object": "file", "bytes": len(content), "purpose": "batch"}

    def _file(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def _create(self, asked: dict[str, Any]) -> Reply:
        number, name = len(self.batches), f"batch_{len(self.batches)}"
        self.requests[name] = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        counts = {"total": len(self.requests[name]), "completed": 0, "failed": 0}
        self.batches[name] = {
            "id": name, "object": "batch", "created_at": number, "status": "validating", "looks": self.looks,
            "output_file_id": None, "error_file_id": None, "request_counts": counts, **asked,
        }  # fmt: skip
        self.most_open = max(self.most_open, sum(batch["looks"] > 0 for batch in self.batches.values()))
        if self.lost_replies:
            self.lost_replies -= 1
            return 0, None
        return 200, self.batches[name]

    def _list(self, query: dict[str, list[str]]) -> Reply:
        names, size = list(reversed(self.batches)), int(query["limit"][0])
        start = names.index(query["after"][0]) + 1 if "after" in query else 0
        page = [self.batches[name] for name in names[start : start + size]]
        last = page[-1]["id"] if page else None
        return 200, {"object": "list", "data": page, "has_more": start + size < len(names), "last_id": last}

    def _look(self, name: str) -> Reply:
        batch = self.batches[name]
        batch["looks"] -= 1
        if batch["looks"] == 0:
            self._end(batch)
        elif batch["looks"] > 0:
            batch["status"] = "in_progress"
        return 200, batch

    def _end(self, batch: dict[str, Any]) -> None:
        if said := self.fails_whole.get(int(batch["id"].removeprefix("batch_"))):
            batch |= {"status": "failed", "errors": {"object": "list", "data": [{"code": "x", "message": said}]}}
            return
        items = [self._item(line) for line in self.requests[batch["id"]]]
        good = [item for item in items if item["response"] and item["response"]["status_code"] == 200]
        bad = [item for item in items if item not in good]
        expired = any(item["error"] for item in bad)
        batch["status"] = "expired" if expired else "completed"
        batch["request_counts"] |= {"completed": len(good), "failed": len(bad)}
        batch["output_file_id"], batch["error_file_id"] = (self._file(_lines(part)) if part else None for part in (good, bad))

    def _item(self, line: dict[str, Any]) -> dict[str, Any]:
        text = question(line["body"])
        planned = self.plan(text)
        if isinstance(planned, list):
            planned = planned[min(self.asked[text], len(planned) - 1)]
        self.asked[text] += 1
        item: dict[str, Any] = {"id": "r", "custom_id": line["custom_id"], "response": None, "error": None}
        if planned is None:
            return item | {"error": {"code": "batch_expired", "message": "could not be executed before the window expired"}}
        planned = Planned(planned) if isinstance(planned, str) else planned
        body = json.loads(planned.payload(line["body"]["model"]))
        if planned.status == 200:
            self.paid[text] += 1
            body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        return item | {"response": {"status_code": planned.status, "request_id": "q", "body": body}}


def _lines(items: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def _handler(double: BatchServerDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = self.headers["Content-Length"]
            sent = self.rfile.read(int(length)) if length else self._chunks()
            kind = self.headers["Content-Type"] or ""
            status, body = double.reply(self.command, self.path, sent, kind, self.headers["Authorization"])
            if not status:
                self.close_connection = True
                return
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_POST = do_GET

        def _chunks(self) -> bytes:
            """The body of a request without a length, which comes in chunks."""
            found = b""
            while self.headers["Transfer-Encoding"] and (size := int(self.rfile.readline(), 16)):
                found += self.rfile.read(size)
                self.rfile.readline()
            return found

        def log_message(self, *_: object) -> None:
            pass

    return Handler
