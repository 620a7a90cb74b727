"""Batches whose answers are paid for and cannot be used: what they cost is counted, and they are not paid for without end."""

import io
import json
from pathlib import Path

import pytest
from batch_double import BatchServerDouble

from chat_double import Planned, error
from valuedrift.chat.batch import rounds
from valuedrift.chat.batch.lines import lines_of
from valuedrift.chat.batch.outcomes import Outcomes
from valuedrift.chat.client import ask
from valuedrift.chat.ledger import Ledger
from valuedrift.chat.messages import Reply, Request
from valuedrift.errors import UserError

KEY = "sk-planted-0123456789"
PRICE = {"input": 2.5, "output": 10, "day": "2026-11-01"}
UNUSABLE = Planned(body='{"choices": []}')
ROW = Reply(None, "the server returns what is not a chat completion")


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "answers.sqlite"


@pytest.fixture
def chat(chat):
    return lambda base_url, **settings: chat(base_url, **{"batch": True, "poll": 0.005, "price": PRICE, **settings})


def requests(count):
    return [Request(f"question {number}") for number in range(count)]


def calls(config):
    (path,) = Path(config.spending).iterdir()
    return json.loads(path.read_text())["calls"]


def test_a_question_without_a_usable_answer_is_a_row_after_three_and_not_paid_again(chat, ledger):
    with BatchServerDouble(lambda question: UNUSABLE if question == "question 3" else "Yes") as server:
        config = chat(server.base_url)
        for _ in range(2):
            assert ask(requests(10), config, ledger) == [Reply("Yes", None)] * 3 + [ROW] + [Reply("Yes", None)] * 6
            assert server.paid["question 3"] == 3 and len(server.batches) == 3
            assert calls(config) == server.paid.total() == 12


def test_where_no_answer_of_the_first_batch_can_be_used_there_is_no_second(chat, ledger):
    with BatchServerDouble(lambda _: UNUSABLE) as server:
        config = chat(server.base_url)
        for run in (1, 2):
            with pytest.raises(UserError, match=r"returns what is not a chat completion\. 0 of 30 questions are answered"):
                ask(requests(30), config, ledger)
            assert len(server.batches) == run and calls(config) == server.paid.total() == 30 * run
    with Ledger(ledger) as book:
        assert book.get(request.key(config) for request in requests(30)) == {}


def test_a_few_questions_alone_without_a_usable_answer_are_no_rows_until_others_have_one(chat, ledger):
    with BatchServerDouble(lambda question: "Yes" if question == "question 0" else UNUSABLE) as server:
        config = chat(server.base_url)
        with pytest.raises(UserError, match="returns what is not a chat completion"):
            ask(requests(3)[1:], config, ledger)
        assert ask(requests(3), config, ledger) == [Reply("Yes", None), ROW, ROW]


class Killed(BaseException):
    """Ends a job as SIGKILL would: nothing catches it."""


def test_a_killed_job_goes_on_counting_where_only_questions_without_a_usable_answer_are_left(chat, ledger, monkeypatch):
    def killed(*_):
        raise Killed

    bad = {f"question {number}" for number in range(25)}
    with BatchServerDouble(lambda question: UNUSABLE if question in bad else "Yes") as server:
        config = chat(server.base_url)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Outcomes, "settle", killed)
            ask(requests(60), config, ledger)
        assert ask(requests(60), config, ledger) == [ROW] * 25 + [Reply("Yes", None)] * 35
    assert len(server.batches) == 3 and max(server.paid.values()) == 3
    assert calls(config) == server.paid.total()


def test_a_batch_that_never_ends_is_given_up_in_one_line(chat, ledger, monkeypatch):
    monkeypatch.setattr(rounds, "PATIENCE", 0.05)
    with (
        BatchServerDouble(looks=10**9) as server,
        pytest.raises(UserError, match=r"has not ended batch batch_0 for .* hours: cancel it there, or .* \"DELETE FROM under_way"),
    ):
        ask(requests(3), chat(server.base_url), ledger)


LOST = {
    "garbled": (200, b'{"custom\n[]\n{"custom_id": 1}\n' + b"[" * 100_000),
    "too long": (200, b"x" * 9_000_000 + b"\n" + b"y" * 9_000_000),
    "gone": (404, {}),
}


def test_a_job_killed_before_it_forgets_a_batch_counts_its_useless_answers_once(chat, ledger, monkeypatch):
    def killed(*_):
        raise Killed

    with BatchServerDouble(lambda question: [UNUSABLE, Planned("Yes")] if question == "question 1" else "Yes") as server:
        config = chat(server.base_url)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Ledger, "forget_batch", killed)
            ask(requests(3), config, ledger)
        assert ask(requests(3), config, ledger) == [Reply("Yes", None)] * 3
    assert calls(config) == server.paid.total() == 4


@pytest.mark.parametrize("name", LOST)
def test_answers_that_came_and_cannot_be_read_are_counted(chat, ledger, name):
    with BatchServerDouble() as server:
        server.faults = {"GET /files/": [LOST[name]]}
        config = chat(server.base_url)
        assert ask(requests(2), config, ledger) == [Reply("Yes", None)] * 2
    assert calls(config) == server.paid.total() == 4


def test_lines_are_bounded_before_they_are_read():
    file = io.BytesIO(b"a" * 10 + b"\n" + b"b" * 25 + b"\nc\n" + b"d" * 11)
    assert list(lines_of(file, 10)) == [b"a" * 10 + b"\n", b"\n", b"c\n", b"\n"]


def test_the_key_is_no_name_of_a_batch_and_in_no_answer_or_message(chat, ledger, monkeypatch, capfd):
    monkeypatch.setenv("TALKER_KEY", KEY)
    plans = {"question 0": f"I know {KEY[3:]}", "question 1": error(400, f"{KEY[:12]}")}
    with BatchServerDouble(lambda question: plans[question]) as server:
        config = chat(server.base_url, key_variable="TALKER_KEY", attempts=1)
        assert ask(requests(2), config, ledger) == [Reply("I know ***", None), Reply(None, "***")]
        server.faults = {"POST /batches": [(200, {"id": KEY, "object": "batch", "status": "validating"})]}
        with pytest.raises(UserError, match="returns what is not a batch"):
            ask([Request("question 1", sample=1)], config, ledger)
    output = capfd.readouterr()
    assert KEY[:8] not in output.out + output.err and KEY[-8:].encode() not in ledger.read_bytes()
