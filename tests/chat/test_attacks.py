"""A chat model asked through every fault that is not a matter of trying again: what is paid is counted, and nothing impossible gets in."""

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from chat_faults import right

from valuedrift.chat.client import ask
from valuedrift.chat.messages import Request
from valuedrift.errors import UserError

KEY = "sk-planted-0123456789-abcdefghij"
PRICE = {"input": 2.5, "output": 10, "day": "2026-11-01"}
USELESS = {
    "cut off": "what is not a chat completion",
    "truncated JSON": "what is not a chat completion",
    "no choices": "what is not a chat completion",
    "no logprobs": "no logprobs",
    "wrong model": "answers as the model `babbler` where `talker` is asked",
    "error with status 200": "what is not a chat completion",
    "NaN logprob": "logprobs that are not numbers of at most 0",
    "every logprob -inf": "probabilities that sum to 0 or to more than 1",
    "bytes-only logprobs": "malformed logprobs",
    "logprob above 0": "logprobs that are not numbers of at most 0",
    "logprob 709.5, repeated": "logprobs that are not numbers of at most 0",
    "logprob 1000": "logprobs that are not numbers of at most 0",
    "token repeated": "probabilities that sum to 0 or to more than 1",
    "JSON 200,000 deep": "what is not a chat completion",
    "integer of 5,000 digits": "what is not a chat completion",
    "lone surrogate": "text that is not Unicode",
    "body of 100 MB": "what is not a chat completion",
    "gzip bomb": "what is not a chat completion",
}
"""Fault → what the status of its questions says."""


class Server:
    """A faulty server in a process of its own: its address, and what it did."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.address = process.stdout.readline().strip()

    def counts(self, name: str) -> Counter[str]:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.address}/counts") as said:
            return Counter(json.load(said)[name])


@pytest.fixture
def serve():
    """Starts a faulty server with these faults."""
    processes = []

    def start(*faults: str, share: float = 1.0, calls: int = 2) -> Server:
        command = [sys.executable, str(Path(__file__).with_name("faulty_server.py")), "--share", str(share), "--calls", str(calls)]
        processes.append(
            subprocess.Popen([*command, "--faults", *faults], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return Server(processes[-1])

    yield start
    for process in processes:
        process.stdin.close()
        process.wait()


@pytest.fixture
def keyed(chat, monkeypatch):
    """Makes a chat model whose server gets a key."""
    monkeypatch.setenv("TALKER_KEY", KEY)
    settings = {"key_variable": "TALKER_KEY", "price": PRICE, "max_tokens": 1}
    return lambda server, **given: chat(server.address, **{**settings, **given})


def asked(count, first=0):
    return [Request(f"question {number}", logprobs=20) for number in range(first, first + count)]


def spent(config):
    (path,) = Path(config.spending).glob("*.json")
    return json.loads(path.read_text())


def secrets(folder):
    """The files that hold a part of the key."""
    parts = {KEY[start : start + 8].encode() for start in range(len(KEY) - 7)}
    return [path.name for path in folder.rglob("*") if path.is_file() and any(part in path.read_bytes() for part in parts)]


def test_what_is_paid_for_and_cannot_be_used_is_counted_becomes_a_row_and_is_not_paid_again(serve, keyed, tmp_path, capsys):
    server = serve(*USELESS, share=0.5, calls=0)
    config = keyed(server)
    replies = ask(asked(200), config, tmp_path / "answers.sqlite")
    paid, faults = server.counts("paid"), server.counts("faults")
    answers, unusable = 0, Counter()
    for number, reply in enumerate(replies):
        letter, likeliest = right(f"question {number}")
        if reply.problem is None:
            assert (reply.text, reply.places[0].likeliest) == (letter, likeliest)
            answers += 1
        else:
            unusable[reply.problem.removeprefix("the server ").removeprefix("returns ")] += 1
    assert set(faults) == set(USELESS) and set(unusable) == set(USELESS.values())
    assert faults.total() == 3 * unusable.total()
    assert 0 <= paid.total() - answers - faults.total() < 5  # of those that come often in a row, one good question is asked again
    assert (spent(config)["calls"], spent(config)["answer_tokens"]) == (paid.total(), paid.total())
    assert f'run `sqlite3 {tmp_path / "answers.sqlite"} "DELETE FROM answers WHERE' in capsys.readouterr().err
    assert ask(asked(200), config, tmp_path / "answers.sqlite") == replies
    assert server.counts("paid") == paid


def test_no_answer_costs_less_than_nothing_or_more_than_any_model_can_say(serve, keyed, tmp_path):
    config = keyed(serve("negative usage", "absurd usage", "no usage"), max_tokens=5)
    replies = ask(asked(12), config, tmp_path / "answers.sqlite")
    assert [reply.text for reply in replies] == [right(f"question {number}")[0] for number in range(12)]
    assert (spent(config)["question_tokens"], spent(config)["answer_tokens"]) == (36, 60)  # 10 or 11 characters, 4 to a token


def test_a_cap_holds_where_half_of_what_is_paid_for_is_of_no_use(serve, keyed, tmp_path):
    price = {"input": 0, "output": 100_000, "day": "2026-11-01"}  # $0.1 for each answer of one token
    server = serve("truncated JSON", "error with status 200", "NaN logprob", share=0.5, calls=0)
    for _ in range(3):
        with pytest.raises(UserError, match=r"of the cap \$1\.00 on talk: raise `chats\.talk\.spending_cap`"):
            ask(asked(300), keyed(server, price=price, spending_cap=1, concurrency=4), tmp_path / "answers.sqlite")
    paid = server.counts("paid").total()
    assert 10 <= paid < 30 and spent(keyed(server))["dollars"] == pytest.approx(paid * 0.1)


@pytest.mark.parametrize("fault", ["dripped body", "dripped head"])
def test_a_request_ends_in_time_however_its_answer_drips(serve, keyed, tmp_path, fault):
    began, config = time.monotonic(), keyed(serve(fault), timeout=1)
    assert ask(asked(3), config, tmp_path / "answers.sqlite")[0].problem is None
    assert time.monotonic() - began < 20  # the whole answer drips for 12 minutes, its head for one
    assert spent(config)["calls"] == (9 if fault == "dripped body" else 3)


HEAVY = """
import sys
from pathlib import Path
from tenacity import wait_none
from valuedrift.chat import failures
from valuedrift.chat.client import ask
from valuedrift.chat.messages import Request
from valuedrift.config.chat import ChatJob
failures.BACKOFF = wait_none()
folder = Path(sys.argv[2])
config = ChatJob(name="talk", spending=str(folder / "spending"), model="talker", base_url=sys.argv[1], max_tokens=1)
replies = ask([Request(f"question {number}", logprobs=20) for number in range(16)], config, folder / "answers.sqlite")
assert all(reply.problem in (None, "cut at max_tokens") for reply in replies)
print(next(int(line.split()[1]) // 1024 for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


def test_large_bodies_fill_neither_the_memory_nor_the_ledger(serve, tmp_path):
    server = serve("body of 100 MB", "error of 100 MB", "gzip bomb", "text of 5 MB", calls=1)
    job = subprocess.run(
        [sys.executable, "-c", HEAVY, server.address, str(tmp_path)], check=True, capture_output=True, text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert len(server.counts("faults")) == 4
    assert int(job.stdout) < 200  # MB, of which 100 are Python with its imports; 16 answers come at once
    assert (tmp_path / "answers.sqlite").stat().st_size < 200_000


def test_the_key_is_kept_from_ledger_messages_and_errors_however_it_is_repeated(serve, keyed, tmp_path, capfd):
    config = keyed(serve("key in the text"))
    (reply,) = ask(asked(1), config, tmp_path / "answers.sqlite")
    assert reply.text == "A, ***"
    for fault, said in (("key in an error", "I know ***"), ("half of the key in an error", "I know ***")):
        with pytest.raises(UserError) as raised:
            ask(asked(1, first=1), keyed(serve(fault, calls=0), attempts=1), tmp_path / "answers.sqlite")
        assert said in str(raised.value) and not any(KEY[start : start + 8] in str(raised.value) for start in range(len(KEY) - 7))
    output = capfd.readouterr()
    assert not any(KEY[start : start + 8] in output.out + output.err for start in range(len(KEY) - 7))
    assert secrets(tmp_path) == []


def test_questions_and_key_do_not_follow_a_redirect(serve, keyed, tmp_path):
    server = serve("redirect to another origin")
    with pytest.raises(UserError, match=r"redirects to http://127\.0\.0\.1:\d+, where neither .* set the chat's `base_url` to"):
        ask(asked(5), keyed(server), tmp_path / "answers.sqlite")
    assert server.counts("leaked").total() == 0


def test_an_older_ledger_s_impossible_numbers_are_asked_again_once_and_stay_paid(serve, keyed, tmp_path):
    config, path = keyed(serve("429", share=0)), tmp_path / "answers.sqlite"
    replies = ask(asked(3), config, path)
    with sqlite3.connect(path) as ledger:
        (key, answer), (other, second) = ledger.execute("SELECT key, answer FROM answers LIMIT 2").fetchall()
        broken = json.loads(answer) | {"places": [["A", [["A", 1000.0]]]]}
        negative = json.loads(second) | {"usage": [-220_001_000_000, -5]}
        ledger.executemany(
            "UPDATE answers SET answer = ? WHERE key = ?", [(json.dumps(broken), key), (json.dumps(negative), other)]
        )
    assert ask(asked(3), config, path) == ask(asked(3), config, path) == replies
    assert (spent(config)["calls"], spent(config)["question_tokens"]) == (4, 27)
