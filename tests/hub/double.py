"""A double of the hub that serves repositories from folders, with the part of the hub's protocol that `huggingface_hub` uses.

FOLDER/models/<org>/<name>/... and FOLDER/datasets/<org>/<name>/... are the repositories, each with one revision that
has every commit except `UNKNOWN`. A repository with a file `.gated` is gated: it is served only to requests with a token.
"""

import hashlib
import json
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

UNKNOWN = "0" * 40
API = re.compile(r"/api/(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)/(?P<call>auth-check|revision|tree)(/(?P<revision>[^/]+))?")
RESOLVE = re.compile(r"/((?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class Hub(ThreadingHTTPServer):
    """The server; use it as a context manager. `requests` lists the requests; `stalled` files wait for `resume`, and of
    `damaged` ones a bit is flipped."""

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.root = root
        self.requests: list[str] = []
        self.stalled: set[str] = set()
        self.damaged: set[str] = set()
        self.resume = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume.set()
        self.shutdown()
        self.server_close()


class _Refusal(Exception):
    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        try:
            if asked := API.fullmatch(path):
                self._api(asked)
            elif asked := RESOLVE.fullmatch(path):
                self._file(asked)
            else:
                self._send(b"", HTTPStatus.NOT_FOUND, {})
        except _Refusal as refusal:
            self._send(b"", refusal.status, {"X-Error-Code": refusal.code})

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _repository(self, asked: re.Match[str], closed: bool) -> Path:
        """Return the repository's folder, or refuse as the hub does; `closed` requests need access to a gated repository."""
        folder = self.server.root / (asked["kind"] or "models") / asked["repo"]
        known = "Authorization" in self.headers
        if (
            not folder.is_dir()
        ):  # to requests without a token the hub sends a bare 401, which the library understands only over https
            raise _Refusal(HTTPStatus.NOT_FOUND if known else HTTPStatus.UNAUTHORIZED, "RepoNotFound")
        if closed and (folder / ".gated").exists() and not known:
            raise _Refusal(HTTPStatus.FORBIDDEN, "GatedRepo")
        revision = asked["revision"]
        if revision and (not re.fullmatch("[0-9a-f]{40}", revision) or revision == UNKNOWN):
            raise _Refusal(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        return folder

    def _api(self, asked: re.Match[str]) -> None:
        folder = self._repository(asked, closed=asked["call"] != "revision")
        files = {f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file() and f.name != ".gated"}
        answer: Any = {}
        if asked["call"] == "revision":
            siblings = [{"rfilename": name, "size": file.stat().st_size} | _large(file) for name, file in files.items()]
            answer = {"id": asked["repo"], "sha": asked["revision"], "siblings": siblings}
        elif asked["call"] == "tree":
            answer = [{"type": "file", "path": n, "size": f.stat().st_size, "oid": _digest(f)} for n, f in files.items()]
        self._send(json.dumps(answer).encode(), HTTPStatus.OK, {"Content-Type": "application/json"})

    def _file(self, asked: re.Match[str]) -> None:
        file = self._repository(asked, closed=True) / asked["path"]
        if not file.is_file():
            raise _Refusal(HTTPStatus.NOT_FOUND, "EntryNotFound")
        if self.command == "GET" and file.name in self.server.stalled:
            self.server.resume.wait()
        body = file.read_bytes()
        if file.name in self.server.damaged:
            body = bytes([body[0] ^ 1]) + body[1:]
        self._send(body, HTTPStatus.OK, {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": asked["revision"]})

    def _send(self, body: bytes, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _large(file: Path) -> dict[str, Any]:
    """Return what the hub says of a large file in addition."""
    return (
        {"lfs": {"sha256": _digest(file), "size": file.stat().st_size, "pointerSize": 130}} if file.suffix == ".safetensors" else {}
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
