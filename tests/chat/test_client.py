import json
import logging
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from chat_double import ChatServerDouble, Planned, error
from valuedrift.chat import live
from valuedrift.chat.client import ask
from valuedrift.chat.ledger import Ledger
from valuedrift.chat.messages import Place, Reply, Request
from valuedrift.chat.spending import Budget
from valuedrift.errors import UserError

KEY = "sk-planted-key"


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "answers.sqlite"


def requests(count):
    return [Request(f"question {number}") for number in range(count)]


def test_replies_come_in_order_and_hold_what_was_sent(chat, ledger):
    with ChatServerDouble(lambda question: f"on {question}") as server:
        config = chat(server.base_url, max_tokens=7)
        replies = ask([Request("b", system="Be brief."), Request("a")], config, ledger)
    assert replies == [Reply("on b", None), Reply("on a", None)]
    sent = next(asked for asked in server.asked if asked["messages"][-1]["content"] == "b")
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "b"}]
    assert {key: sent[key] for key in ("model", "max_tokens", "temperature")} == {
        "model": "talker",
        "max_tokens": 7,
        "temperature": 0,
    }
    assert "seed" not in sent


def test_identical_requests_are_asked_once_and_samples_anew(chat, ledger):
    with ChatServerDouble() as server:
        replies = ask([Request("a"), Request("a"), Request("a", sample=1), Request("a", system="")], chat(server.base_url), ledger)
    assert len(replies) == 4
    assert len(server.asked) == 3


def test_what_the_ledger_holds_costs_nothing_until_the_config_asks_for_something_else(chat, ledger):
    with ChatServerDouble() as server:
        first = ask(requests(3), chat(server.base_url), ledger)
        assert ask(requests(3), chat(server.base_url, concurrency=2, attempts=1, timeout=1), ledger) == first
        assert len(server.asked) == 3
        for change in ({"model": "other"}, {"revision": "2"}, {"temperature": 0.5}, {"max_tokens": 33}):
            ask(requests(1), chat(server.base_url, **change), ledger)
    assert len(server.asked) == 7


def test_sampling_sends_a_seed_that_a_rerun_repeats(chat, tmp_path):
    with ChatServerDouble() as server:
        for run in ("one", "two"):
            ask([Request("a"), Request("a", sample=1)], chat(server.base_url, temperature=0.7), tmp_path / f"{run}.sqlite")
    seeds = [asked["seed"] for asked in server.asked]
    assert sorted(seeds[:2]) == sorted(seeds[2:])
    assert len(set(seeds)) == 2


@pytest.mark.parametrize(
    "failure",
    [
        error(429),
        error(500),
        error(503),
        Planned(drop=True),
        Planned(body='{"choices": [{"mess'),
        Planned(body='{"choices": []}'),
        Planned(body="<html>", headers={"Content-Type": "text/html"}),
        Planned("too late", delay=0.3),
        Planned("from another", model="babbler"),
    ],
    ids=["429", "500", "503", "dropped", "truncated", "no choices", "html", "slow", "wrong model"],
)
def test_what_passes_is_asked_again(chat, ledger, failure):
    with ChatServerDouble(lambda _: [failure, failure, Planned("At last")]) as server:
        assert ask([Request("a")], chat(server.base_url, timeout=0.15), ledger) == [Reply("At last", None)]
    assert len(server.asked) == 3


@pytest.mark.parametrize("header", [{"retry_after": "0.3"}, {"retry_after_ms": "300"}])
def test_a_wait_that_the_server_asks_for_is_kept(chat, ledger, header):
    with ChatServerDouble(lambda _: [error(429, **header), Planned()]) as server:
        ask([Request("a")], chat(server.base_url), ledger)
    assert server.times[1] - server.times[0] >= 0.3


@pytest.mark.parametrize("asked", ["7200", formatdate(time.time() + 7200, usegmt=True)], ids=["seconds", "date"])
def test_a_wait_of_hours_ends_the_run(chat, ledger, asked):
    with (
        ChatServerDouble(lambda _: error(429, "daily limit", retry_after=asked)) as server,
        pytest.raises(UserError, match=r"still over its limits.*daily limit"),
    ):
        ask([Request("a")], chat(server.base_url), ledger)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (error(429, "You exceeded your quota", "insufficient_quota"), "no quota left"),
        (error(402, "Insufficient balance"), "no quota left"),
        (error(401, f"Incorrect key {KEY}", "invalid_api_key"), "refuses the key.*key_variable"),
        (error(403, f"Not with {KEY}"), r"does not allow this key to use `talker`: Not with \*\*\*"),
        (error(404, "No such model", "model_not_found"), "no model `talker` at .*fix the chat's `model`.*No such model"),
    ],
    ids=["quota", "balance", "key", "not allowed", "model"],
)
def test_what_does_not_pass_ends_the_run_at_once_in_one_line(chat, ledger, monkeypatch, failure, message):
    monkeypatch.setenv("TALKER_KEY", KEY)
    with ChatServerDouble(lambda _: failure) as server, pytest.raises(UserError, match=message) as raised:
        ask(requests(5), chat(server.base_url, key_variable="TALKER_KEY", concurrency=1), ledger)
    assert len(server.asked) == 1
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_openai_wants_a_key_and_others_get_none(chat, ledger, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServerDouble() as server:
        ask([Request("a")], chat(server.base_url), ledger)
    assert not any(KEY in str(key) for key in server.keys)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="no key for talker: set the environment variable OPENAI_API_KEY"):
        ask([Request("b")], chat(None), ledger)
    with pytest.raises(UserError, match="set the environment variable OTHER"):
        ask([Request("b")], chat(server.base_url, key_variable="OTHER"), ledger)


def test_a_question_that_fails_to_the_end_stops_the_run_and_the_rest_is_asked_later(chat, ledger):
    def plan(question):
        return error(500, "broken") if question == "question 5" and not fixed else Planned()

    fixed = False
    with ChatServerDouble(plan) as server:
        config = chat(server.base_url, attempts=3, concurrency=1)
        with pytest.raises(UserError, match=r"still fails: broken\. 5 of 20 questions are answered and kept; run again"):
            ask(requests(20), config, ledger)
        assert server.questions.count("question 5") == 3
        fixed = True
        server.asked.clear()
        assert ask(requests(20), config, ledger) == [Reply("Yes", None)] * 20
    assert sorted(server.questions) == sorted(f"question {number}" for number in range(5, 20))


def test_questions_under_way_when_the_run_stops_are_kept(chat, ledger):
    with ChatServerDouble(lambda question: error(404) if question == "question 0" else Planned(delay=0.2)) as server:
        with pytest.raises(UserError, match="3 of 30 questions are answered"):
            ask(requests(30), chat(server.base_url, concurrency=4), ledger)
        assert len(server.asked) == 4


PROBLEMS = {
    "refusal": (Planned(None, refusal="I will not."), "refused"),
    "filter": (Planned("", "content_filter"), "refused"),
    "cut": (Planned("It is a long", "length"), "cut at max_tokens"),
    "no text": (Planned(None), "empty"),
    "spaces": (Planned(" \n"), "empty"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_answer_without_text_is_a_problem_and_not_asked_again(chat, ledger, name):
    planned, problem = PROBLEMS[name]
    with ChatServerDouble(lambda question: planned if question == "bad" else "Yes") as server:
        for _ in range(2):
            replies = ask([Request("bad"), Request("good")], chat(server.base_url), ledger)
            begun = planned.text if problem == "cut at max_tokens" else None
            assert replies == [Reply(None, problem, begun=begun), Reply("Yes", None)]
    assert len(server.asked) == 2


def test_replies_hold_the_likeliest_tokens_also_of_a_cut_answer_and_from_the_ledger(chat, ledger):
    planned = Planned("A.", "length", likeliest=[{"A": -0.5, "B": -1.5}, {".": 0.0}])
    with ChatServerDouble(lambda _: planned) as server:
        for _ in range(2):
            found = ask([Request("a", logprobs=2)], chat(server.base_url), ledger)
            assert found == [Reply("A.", None, (Place("A", [("A", -0.5), ("B", -1.5)]), Place(".", [(".", 0.0)])))]
    assert len(server.asked) == 1


def test_an_answer_without_logprobs_is_asked_again_where_others_have_them(chat, ledger):
    with ChatServerDouble(lambda _: [Planned("B"), Planned("A", likeliest=[{"A": -0.5}])]) as server:
        assert [reply.text for reply in ask([Request("a", logprobs=2)], chat(server.base_url), ledger)] == ["A"]
    assert len(server.asked) == 2


def test_a_server_that_never_returns_logprobs_is_reported_before_much_is_paid(chat, ledger):
    with (
        ChatServerDouble() as server,
        pytest.raises(UserError, match=r"returns no logprobs: set the judge's `reading: sampling` or ask another server"),
    ):
        ask([Request(f"a {number}", logprobs=2) for number in range(500)], chat(server.base_url, concurrency=4), ledger)
    assert len(server.asked) < 30
    assert stored(ledger) == 0


UNUSABLE = Planned(body='{"choices": []}')


def test_questions_without_a_usable_answer_are_asked_again_when_a_user_forgets_them(chat, ledger, capsys):
    with ChatServerDouble(lambda question: UNUSABLE if question == "question 1" and not fixed else "Yes") as server:
        fixed = False
        assert ask(requests(3), chat(server.base_url), ledger)[1] == Reply(None, "the server returns what is not a chat completion")
        said = capsys.readouterr().err
        command = shlex.split(re.search('`(sqlite3 .*?")`', said)[1])
        sqlite3.connect(command[1]).executescript(command[2])
        fixed = True
        assert ask(requests(3), chat(server.base_url), ledger) == [Reply("Yes", None)] * 3
    assert server.questions.count("question 1") == 4 and len(server.asked) == 6
    with Ledger(ledger) as book:
        assert sum(used.calls for used in book.usage()) == 6


def test_a_question_is_paid_for_three_times_in_all_its_runs(chat, ledger):
    plans = {"good": "Yes", "bad": UNUSABLE, "gone": error(404)}
    with ChatServerDouble(lambda question: plans[question]) as server:
        config = chat(server.base_url, concurrency=1, attempts=2)
        with pytest.raises(UserError):  # which leaves the second question open
            ask([Request("bad"), Request("gone")], config, ledger)
        plans["bad"] = [UNUSABLE] * 3 + [error(503), Planned("Yes")]
        assert (
            ask([Request("good"), Request("bad")], config, ledger)[1].problem == "the server returns what is not a chat completion"
        )
        assert server.questions.count("bad") == 3


def test_a_run_whose_last_questions_have_no_usable_answer_asks_one_of_before_whether_the_server_answers(chat, ledger):
    with ChatServerDouble(lambda question: "Yes" if question == "question 0" else UNUSABLE) as server:
        ask(requests(1), chat(server.base_url), ledger)
        replies = ask(requests(40), chat(server.base_url, concurrency=2), ledger)
        assert [reply.problem for reply in replies] == [None] + ["the server returns what is not a chat completion"] * 39
        asked = len(server.asked)
        assert asked == 1 + 39 * 3 + server.questions.count("question 0") - 1
        ask(requests(40), chat(server.base_url), ledger)
        assert len(server.asked) == asked


def test_a_server_that_gets_worse_midway_stops_the_run_before_much_is_paid_and_its_questions_stay_open(chat, ledger):
    with ChatServerDouble(lambda _: UNUSABLE if len(server.asked) > 50 else "Yes") as server:
        with pytest.raises(UserError, match=r"returns what is not a chat completion.* 50 of 500 questions are answered and kept"):
            ask(requests(500), chat(server.base_url, concurrency=4), ledger)
        assert len(server.asked) < 110  # 20 in a row, what was under way, and one that was answered before
    with ChatServerDouble() as server:
        assert ask(requests(500), chat(server.base_url), ledger) == [Reply("Yes", None)] * 500
    assert len(server.asked) == 450


def test_answers_of_no_use_are_paid_and_counted_for_good(chat, ledger, tmp_path):
    price, usage = {"input": 1.0, "output": 2.0, "day": "2026-11-01"}, (1_000_000, 500_000)
    plan = [Planned("B", usage=usage), Planned("A", usage=usage, likeliest=[{"A": -0.5}])]
    with ChatServerDouble(lambda _: plan) as server:
        config = chat(server.base_url, price=price)
        ask([Request("a", logprobs=2)], config, ledger)
        for _ in range(2):
            (path,) = (tmp_path / "spending").iterdir()
            assert (json.loads(path.read_text())["calls"], json.loads(path.read_text())["dollars"]) == (2, 4.0)
            path.unlink()
            with Ledger(ledger) as book:
                Budget(config, book)


def test_another_model_s_answers_end_the_run_naming_both_before_much_is_paid(chat, ledger):
    with (
        ChatServerDouble(lambda _: Planned(model="babbler")) as server,
        pytest.raises(UserError, match="answers as the model `babbler` where `talker` is asked: fix the chat's `model`"),
    ):
        ask(requests(500), chat(server.base_url, concurrency=4), ledger)
    assert len(server.asked) < 30


def test_a_spending_cap_ends_the_run_and_keeps_what_was_under_way(chat, ledger):
    price = {"input": 1.0, "output": 2.0, "day": "2026-11-01"}
    with ChatServerDouble(lambda _: Planned(usage=(1_000_000, 500_000), delay=0.01)) as server:
        config = chat(server.base_url, concurrency=4, price=price, spending_cap=20)
        with pytest.raises(UserError, match=r"of the cap \$20.00 on talk: raise `chats.talk.spending_cap`.* run again"):
            ask(requests(50), config, ledger)
        assert 10 <= len(server.asked) == stored(ledger) < 30
        paid = len(server.asked)
        with pytest.raises(UserError, match="of the cap"):
            ask(requests(50), config, ledger)
        assert len(server.asked) == paid
        assert len(ask(requests(50), chat(server.base_url, price=price), ledger)) == 50
    assert len(server.asked) == 50


def test_a_model_s_last_day_is_reported_before_it_is_asked(chat, ledger, capsys):
    with ChatServerDouble() as server:
        ask([Request("a")], chat(server.base_url, shutdown="2027-01-14"), ledger)
    assert "talker" in capsys.readouterr().err.split("2027-01-14")[0]


def stored(ledger):
    return sqlite3.connect(ledger).execute("SELECT count(*) FROM answers").fetchone()[0]


def test_a_rejected_question_is_a_problem_of_its_run_and_asked_again_in_the_next(chat, ledger):
    def plan(question):
        return error(400, "maximum context\nlength is 512") if question.startswith("bad") and not larger else "Yes"

    larger = False
    with ChatServerDouble(plan) as server:
        config = chat(server.base_url, concurrency=1)
        long = [Request(f"bad {number}") for number in range(30)]
        for _ in range(2):  # in the second run, the good one is asked again to see that the server answers at all
            replies = ask([Request("good"), *long], config, ledger)
            assert replies == [Reply("Yes", None), *[Reply(None, "maximum context length is 512")] * 30]
        assert (len(server.asked), server.questions.count("good")) == (62, 2)
        assert stored(ledger) == 1
        larger = True
        assert ask([Request("good"), *long], config, ledger) == [Reply("Yes", None)] * 31


def test_a_server_that_now_rejects_everything_spoils_no_ledger(chat, ledger):
    with ChatServerDouble() as server:
        ask(requests(1), chat(server.base_url), ledger)
    with (
        ChatServerDouble(lambda _: error(400, "maximum context length is 8")) as server,
        pytest.raises(UserError, match="rejects every question: maximum context length is 8"),
    ):
        ask(requests(50), chat(server.base_url), ledger)
    assert stored(ledger) == 1
    with ChatServerDouble() as server:
        assert ask(requests(50), chat(server.base_url), ledger) == [Reply("Yes", None)] * 50
    assert len(server.asked) == 49


def test_rejections_that_an_older_ledger_holds_are_asked_again(chat, ledger):
    with ChatServerDouble() as server, Ledger(ledger) as book:
        config = chat(server.base_url)
        book.put({Request("a").key(config): {"rejected": "maximum context length is 8"}})
    with ChatServerDouble() as server:
        assert ask([Request("a")], chat(server.base_url), ledger) == [Reply("Yes", None)]
        ask([Request("a")], chat(server.base_url), ledger)
    assert len(server.asked) == 1


def test_a_server_that_rejects_everything_is_not_believed(chat, ledger):
    with ChatServerDouble(lambda _: error(400, "temperature must be 1.")) as server:
        with pytest.raises(UserError, match=r"rejects every question: temperature must be 1\. Correct .* 0 of 2 questions"):
            ask(requests(2), chat(server.base_url), ledger)
        with pytest.raises(UserError, match="rejects every question"):
            ask(requests(500), chat(server.base_url), ledger)
    assert len(server.asked) < 100
    with Ledger(ledger) as book:
        assert book.get(request.key(chat(server.base_url)) for request in requests(500)) == {}


def test_the_key_never_reaches_the_ledger(chat, ledger, monkeypatch):
    monkeypatch.setenv("TALKER_KEY", KEY)
    with ChatServerDouble(lambda question: error(400, f"Bearer {KEY} is odd") if question == "bad" else "Yes") as server:
        replies = ask([Request("good"), Request("bad")], chat(server.base_url, key_variable="TALKER_KEY"), ledger)
    assert replies[1] == Reply(None, "Bearer *** is odd")
    assert KEY.encode() not in ledger.read_bytes()


def test_the_key_is_in_no_log_file_or_error(chat, ledger, monkeypatch, caplog, capfd):
    monkeypatch.setenv("TALKER_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    faults = [Planned(drop=True), error(500, f"Bearer {KEY} fails"), Planned(model=f"for {KEY}")]
    plans = {"good": [*faults, Planned()], "bad": faults, "worse": error(403, f"not with {KEY[2:]}")}
    with ChatServerDouble(lambda question: plans[question]) as server:
        config = chat(server.base_url, key_variable="TALKER_KEY", concurrency=1, requests_per_minute=6000)
        replies = ask([Request("good"), Request("bad")], config, ledger)
        with pytest.raises(UserError, match=r"does not allow this key to use `talker`: not with \*\*\*") as raised:
            ask([Request("worse")], config, ledger)
    assert replies[1].problem == "the server answers as the model `for ***` where `talker` is asked"
    output = capfd.readouterr()
    assert "openai" in {record.name.split(".")[0] for record in caplog.records}  # which is where it would be
    assert KEY not in caplog.text + output.out + output.err + str(raised.value)
    kept = [path for path in ledger.parent.rglob("*") if path.is_file()]
    assert len(kept) >= 2
    assert not any(KEY.encode() in path.read_bytes() for path in kept)


@pytest.mark.parametrize("key", ["two words", "sk-planted\nkey", "sk-plänted"])
def test_a_key_that_cannot_be_sent_is_named_by_its_variable_alone(chat, ledger, monkeypatch, key):
    monkeypatch.setenv("TALKER_KEY", key)
    with pytest.raises(UserError, match="environment variable TALKER_KEY holds no key: there is a blank") as raised:
        ask([Request("a")], chat("http://127.0.0.1:1/v1", key_variable="TALKER_KEY"), ledger)
    assert key not in str(raised.value)


def test_no_more_than_the_agreed_questions_are_under_way(chat, ledger):
    with ChatServerDouble(lambda _: Planned(delay=0.03)) as server:
        ask(requests(24), chat(server.base_url, concurrency=6), ledger)
    assert server.most_at_once == 6


def test_progress_is_reported(chat, ledger, monkeypatch, capsys):
    monkeypatch.setattr(live, "PROGRESS_INTERVAL", 0.0)
    with ChatServerDouble() as server:
        ask(requests(3), chat(server.base_url), ledger)
    words = capsys.readouterr().err
    assert "of 3 questions answered" in words
    assert "talker: 3 questions, 3 of them asked now" in words


def test_a_ledger_that_cannot_be_written_ends_the_run(chat, ledger, monkeypatch):
    def full(self, *_):
        raise UserError(f"{self.path} cannot be read or written (disk full)")

    monkeypatch.setattr(Ledger, "put", full)
    with (
        ChatServerDouble(lambda _: Planned(delay=0.02)) as server,
        pytest.raises(UserError, match=r"disk full.*0 of 500 questions"),
    ):
        ask(requests(500), chat(server.base_url, concurrency=2), ledger)
    assert len(server.asked) < 500


JOB = """
import sys
from pathlib import Path
from valuedrift.chat.messages import Request
from valuedrift.chat.client import ask
from valuedrift.config.chat import ChatJob
config = ChatJob(name="talk", spending=sys.argv[3], model="talker", base_url=sys.argv[1], max_tokens=32, concurrency=4)
ask([Request(f"question {number}") for number in range(40)], config, Path(sys.argv[2]))
"""


def test_a_killed_job_goes_on_without_asking_again(chat, ledger):
    with ChatServerDouble(lambda _: Planned(delay=0.05)) as server:
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, server.base_url, str(ledger), str(ledger.parent / "spending")],
            env=dict(os.environ, PYTHONPATH=":".join(sys.path)),
        )
        until = time.monotonic() + 60
        while len(server.asked) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.wait()
        before = len(server.asked)
        assert 20 <= before < 40
        kept = stored(ledger)
        assert kept >= before - 8  # four under way, and four at most that came within the last commit
        assert ask(requests(40), chat(server.base_url, concurrency=4), ledger) == [Reply("Yes", None)] * 40
    assert len(server.asked) - before == 40 - kept
