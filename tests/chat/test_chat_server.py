import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from valuedrift.chat import server as server_module
from valuedrift.chat import watchdog
from valuedrift.chat.client import ask
from valuedrift.chat.messages import Reply, Request
from valuedrift.chat.server import serving
from valuedrift.config.chat import ChatConfig, ChatJob
from valuedrift.errors import UserError

TESTS = Path(__file__).parents[1]
SERVER = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
port, model, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
(folder / "pid").write_text(str(os.getpid()))
time.sleep(0.1)
class Handler(BaseHTTPRequestHandler):
    def respond(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.respond("{}")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        message = '{"role": "assistant", "content": "I am ' + model + '"}'
        self.respond('{"id": "1", "object": "chat.completion", "created": 0, "model": "' + model + '", "choices": '
                     '[{"index": 0, "finish_reason": "stop", "message": ' + message + '}]}')
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(server_module, "POLL", 0.02)


@pytest.fixture
def served(tmp_path):
    """Makes the config of a model that a double of a server, a small script, serves."""

    def make(script: str = SERVER, **settings) -> ChatJob:
        command = [sys.executable, "-c", script, "{port}", "{model}", str(tmp_path)]
        given = {"name": "talk", "spending": str(tmp_path / "spending"), "model": "talker", "server": command, "max_tokens": 8}
        return ChatJob(**{**given, **settings})

    return make


def running(folder: Path) -> bool:
    """Return True if the server's process is there after two seconds; False as soon as it is gone, or if it was never started."""
    if not (folder / "pid").exists():  # ended before its first line, on a busy machine
        return False
    pid, until = int((folder / "pid").read_text()), time.monotonic() + 2
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_the_server_runs_for_as_long_as_the_step_asks(served, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # where nothing listens
    assert ask([Request("a")], served(), tmp_path / "answers.sqlite") == [Reply("I am talker", None)]
    assert not running(tmp_path)


def test_the_server_is_started_only_to_ask_something(served, tmp_path):
    ask([Request("a")], served(), tmp_path / "answers.sqlite")
    (tmp_path / "pid").unlink()
    assert ask([Request("a")], served(), tmp_path / "answers.sqlite") == [Reply("I am talker", None)]
    assert not (tmp_path / "pid").exists()


def test_the_server_stops_when_the_step_fails(served, tmp_path):
    with pytest.raises(ZeroDivisionError), serving(served()) as address:
        assert address.startswith("http://127.0.0.1:")
        os.kill(int((tmp_path / "pid").read_text()), 0)
        raise ZeroDivisionError
    assert not running(tmp_path)


def test_a_server_that_does_not_want_to_end_is_ended(served, tmp_path, monkeypatch):
    stubborn = tmp_path / "watchdog.py"
    stubborn.write_text(Path(watchdog.__file__).read_text().replace("GRACE = 20.0", "GRACE = 0.1"))
    monkeypatch.setattr(watchdog, "__file__", str(stubborn))
    with serving(served("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)" + SERVER)):
        pass
    assert not running(tmp_path)


def test_a_server_does_not_outlive_a_killed_job(served, tmp_path):
    job = f"""
import sys, time
from valuedrift.chat.server import serving
from valuedrift.config.chat import ChatJob
with serving(ChatJob.model_validate_json({served().model_dump_json()!r})):
    print("up", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", job], stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=":".join(sys.path))
    )
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not running(tmp_path)


def test_a_server_that_ends_early_is_reported(served, tmp_path):
    with pytest.raises(UserError, match="the server ended with status 3 before it answered"):
        ask([Request("a")], served("raise SystemExit(3)"), tmp_path / "answers.sqlite")


def test_a_server_that_takes_too_long_is_reported_and_stopped(served, tmp_path):
    slow = SERVER.replace("time.sleep(0.1)", "time.sleep(60)")
    with pytest.raises(UserError, match=r"did not answer within 0.5 s.*`startup`"):
        ask([Request("a")], served(slow, startup=0.5), tmp_path / "answers.sqlite")
    assert not running(tmp_path)


DRIPPING = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    for _ in range(99):
        connection, _ = server.accept()
        try:
            for byte in b"HTTP/1.1 200 OK":
                connection.send(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            pass
"""


def test_a_check_whether_the_server_has_started_ends_however_its_answer_drips(served, tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "PROBE", 0.3)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"did not answer within 0.5 s"):
        ask([Request("a")], served(DRIPPING, startup=0.5), tmp_path / "answers.sqlite")
    assert time.monotonic() - began < 4


def test_a_command_that_is_not_there_is_named():
    config = ChatConfig(model="talker", server=["no-such-program", "{port}"], max_tokens=8)
    with pytest.raises(UserError, match="there is no command `no-such-program` to serve talker"), serving(config):
        pass


def test_fields_are_filled_in_and_other_braces_stay():
    config = ChatConfig(
        model="talker", revision="v2", server=["x", "--port={port}", "{model}", "{revision}", '{"a": {}}'], max_tokens=8
    )
    assert [server_module._filled(part, config, 80) for part in config.server] == ["x", "--port=80", "talker", "v2", '{"a": {}}']


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "http://x/v1", "server": ["serve", "{port}"]}, "not both"),
        ({"server": ["serve"]}, "must contain {port}"),
        ({"server": ["serve", "{port}", "{revision}"]}, "give a `revision`"),
    ],
)
def test_a_server_is_described_completely(settings, message):
    with pytest.raises(ValidationError, match=message):
        ChatConfig(model="talker", max_tokens=8, **settings)


def test_free_ports_are_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", server_module._free_port()))
