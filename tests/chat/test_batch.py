import json
from pathlib import Path

import pytest
from batch_double import BatchServerDouble

from chat_double import Planned, error
from valuedrift.chat.batch import lines, rounds
from valuedrift.chat.client import ask
from valuedrift.chat.ledger import Ledger
from valuedrift.chat.messages import Reply, Request
from valuedrift.errors import UserError

KEY = "sk-planted-key"
PRICE = {"input": 2.5, "output": 10, "day": "2026-11-01"}


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "answers.sqlite"


@pytest.fixture
def chat(chat):
    return lambda base_url, **settings: chat(base_url, **{"batch": True, "poll": 0.005, "attempts": 3, **settings})


def requests(count):
    return [Request(f"question {number}") for number in range(count)]


def stored(ledger, config, asked):
    with Ledger(ledger) as book:
        return book.get(request.key(config) for request in asked)


def spent(config):
    (path,) = Path(config.spending).iterdir()
    return json.loads(path.read_text())


def test_a_batch_answers_in_order_and_holds_what_live_asking_sends(chat, ledger):
    with BatchServerDouble(lambda question: f"on {question}", looks=3) as server:
        config = chat(server.base_url, max_tokens=7)
        asked = [Request("b", system="Be brief."), Request("a"), Request("a")]
        assert ask(asked, config, ledger) == [Reply("on b", None), Reply("on a", None), Reply("on a", None)]
    (made,) = server.batches.values()
    assert {key: made[key] for key in ("endpoint", "completion_window")} == {
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    line = next(line for line in server.requests["batch_0"] if line["custom_id"] == asked[0].key(config))
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "b"}]
    assert line["body"] == {"model": "talker", "messages": messages, "max_tokens": 7, "temperature": 0}
    assert all(answer["batch"] for answer in stored(ledger, config, asked).values())
    assert dict(server.paid) == {"a": 1, "b": 1}


def test_what_a_batch_answered_costs_nothing_again_on_either_route(chat, ledger):
    with BatchServerDouble() as server:
        config = chat(server.base_url)
        first = ask(requests(3), config, ledger)
        assert ask(requests(3), config, ledger) == ask(requests(3), chat(server.base_url, batch=False), ledger) == first
    assert len(server.batches) == 1


def test_many_questions_go_into_several_batches_by_number_and_by_bytes(chat, ledger, monkeypatch):
    monkeypatch.setattr(lines, "MAX_REQUESTS", 4)
    with BatchServerDouble() as server:
        config = chat(server.base_url)
        assert ask(requests(10), config, ledger) == [Reply("Yes", None)] * 10
        assert sorted(len(lines) for lines in server.requests.values()) == [2, 4, 4]
        assert server.most_open == 3  # at once: three days would be two too many
        monkeypatch.setattr(lines, "MAX_BYTES", 2 * max(map(len, server.files["file-0"].splitlines(keepends=True))))
        ask([Request(f"querying {number}") for number in range(3)], config, ledger)
    assert [len(lines) for lines in server.requests.values()][3:] == [2, 1]
    assert max(server.paid.values()) == 1


def test_items_that_failed_expired_or_came_garbled_are_asked_again_and_only_they(chat, ledger):
    plans = {
        "question 0": [error(500), Planned("late")],
        "question 1": [error(429), error(503), Planned("late")],
        "question 2": [None, Planned("late")],
        "question 3": [Planned(body='{"choices": []}'), Planned("late")],
        "question 4": [Planned(body='{"model": "other", "choices": [{"message": {"content": "No"}}]}'), Planned("late")],
    }
    with BatchServerDouble(lambda question: plans.get(question, "Yes")) as server:
        replies = ask(requests(20), chat(server.base_url), ledger)
    assert replies == [Reply("late", None)] * 5 + [Reply("Yes", None)] * 15
    assert [len(lines) for lines in server.requests.values()] == [20, 5, 1]
    assert all(server.asked[f"question {number}"] == 1 for number in range(5, 20))


def test_an_expired_batch_keeps_its_finished_work_and_one_of_the_same_questions_follows(chat, ledger):
    with BatchServerDouble(lambda question: [None, Planned("Yes")]) as server:
        assert ask(requests(3), chat(server.base_url), ledger) == [Reply("Yes", None)] * 3
    assert [made["status"] for made in server.batches.values()] == ["expired", "completed"]
    assert len({made["metadata"]["valuedrift"] for made in server.batches.values()}) == 1


def test_a_question_that_fails_to_the_end_stops_the_run_and_the_rest_is_kept(chat, ledger):
    with BatchServerDouble(lambda question: error(500, "broken") if question == "question 0" else "Yes") as server:
        config = chat(server.base_url)
        with pytest.raises(UserError, match=r"1 questions have no answer after 3 batches: broken\. 9 of 10 questions are answered"):
            ask(requests(10), config, ledger)
        assert len(stored(ledger, config, requests(10))) == 9
        server.plan = lambda question: "Yes"
        assert ask(requests(10), config, ledger) == [Reply("Yes", None)] * 10
    assert [len(lines) for lines in server.requests.values()] == [10, 1, 1, 1]
    assert set(server.paid.values()) == {1}


def test_a_rejected_question_is_a_problem_of_its_own_and_not_stored(chat, ledger):
    with BatchServerDouble(lambda question: error(400, f"too long for {KEY}") if question == "question 0" else "Yes") as server:
        config = chat(server.base_url, key_variable=None)
        assert ask(requests(3), config, ledger) == [Reply(None, f"too long for {KEY}"), *[Reply("Yes", None)] * 2]
        assert len(stored(ledger, config, requests(3))) == 2
    assert len(server.batches) == 1


def test_a_server_that_rejects_everything_is_not_believed(chat, ledger):
    with (
        BatchServerDouble(lambda _: error(400, "no logprobs here")) as server,
        pytest.raises(UserError, match=r"rejects every q.*no lo"),
    ):
        ask(requests(3), chat(server.base_url), ledger)
    assert len(server.batches) == 1


def test_an_item_that_another_batch_would_not_fix_ends_the_run_once_the_others_are_stored(chat, ledger):
    plan = lambda question: error(404, "The model is gone") if question == "question 0" else "Yes"  # noqa: E731
    with BatchServerDouble(plan) as server:
        config = chat(server.base_url)
        with pytest.raises(UserError, match=r"there is no model `talker`.*2 of 3 questions are answered and kept"):
            ask(requests(3), config, ledger)
        assert len(stored(ledger, config, requests(3))) == 2
    assert len(server.batches) == 1


def test_a_batch_that_fails_as_a_whole_says_why(chat, ledger):
    with BatchServerDouble() as server:
        server.fails_whole = {0: f"Enqueued token limit reached for {KEY}"}
        with pytest.raises(
            UserError, match=r"batch batch_0 failed: Enqueued token limit reached.*wait until others have ended.*0 of 3"
        ):
            ask(requests(3), chat(server.base_url), ledger)
        assert ask(requests(3), chat(server.base_url), ledger) == [Reply("Yes", None)] * 3
    assert [made["status"] for made in server.batches.values()] == ["failed", "completed"]


def test_a_batch_for_which_there_was_no_room_follows_when_another_has_ended(chat, ledger, monkeypatch):
    monkeypatch.setattr(lines, "MAX_REQUESTS", 2)
    with BatchServerDouble() as server:
        server.fails_whole = {1: "Enqueued token limit reached"}
        assert ask(requests(4), chat(server.base_url), ledger) == [Reply("Yes", None)] * 4
    assert len(server.batches) == 3
    assert set(server.paid.values()) == {1}


class Killed(BaseException):
    """Ends a job as SIGKILL would: nothing catches it."""


def killed(*_):
    raise Killed


@pytest.mark.parametrize(
    "moment", ["note_batch", "under the poll", "put", "forget_batch"], ids=["created", "under way", "stored", "forgotten"]
)
def test_a_job_killed_at_any_moment_goes_on_with_its_batches_and_pays_nothing_twice(chat, ledger, monkeypatch, moment):
    monkeypatch.setattr(lines, "MAX_REQUESTS", 4)
    with BatchServerDouble(lambda question: error(500) if question == "question 0" else "Yes", looks=2) as server:
        config = chat(server.base_url)
        with monkeypatch.context() as patched:
            patched.setattr(*((rounds.time, "sleep") if moment == "under the poll" else (Ledger, moment)), killed)
            with pytest.raises(Killed):
                ask(requests(10), config, ledger)
        server.plan = lambda question: "Yes"
        assert ask(requests(10), config, ledger) == [Reply("Yes", None)] * 10
        with Ledger(ledger) as book:
            assert book.under_way(request.key(config) for request in requests(10)) == {}
    assert sum(len(lines) for lines in server.requests.values()) <= 11
    assert set(server.paid.values()) == {1}


def test_a_batch_whose_creation_was_not_confirmed_is_found_at_once(chat, ledger):
    with BatchServerDouble() as server:
        server.lost_replies = 1
        assert ask(requests(5), chat(server.base_url), ledger) == [Reply("Yes", None)] * 5
    assert len(server.batches) == 1


def test_a_batch_that_a_killed_job_did_not_note_is_found_among_many_later_ones(chat, ledger, monkeypatch):
    with BatchServerDouble() as server:
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Ledger, "note_batch", killed)
            ask(requests(5), chat(server.base_url), ledger)
        made = server.batches["batch_0"]
        server.batches |= {f"other_{i}": {**made, "id": f"other_{i}", "metadata": {"valuedrift": str(i)}} for i in range(150)}
        assert ask(requests(5), chat(server.base_url), ledger) == [Reply("Yes", None)] * 5
    assert len(server.batches) == 151
    assert set(server.paid.values()) == {1}


def test_answers_of_a_batch_that_are_not_asked_now_stay_to_be_fetched(chat, ledger, monkeypatch):
    with BatchServerDouble() as server:
        config = chat(server.base_url)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Ledger, "put", killed)
            ask(requests(6), config, ledger)
        assert ask(requests(2), config, ledger) == [Reply("Yes", None)] * 2
        assert ask(requests(6), config, ledger) == [Reply("Yes", None)] * 6
    assert len(server.batches) == 1


@pytest.fixture
def left(chat, ledger, monkeypatch):
    """Leaves a batch of 6 questions under way, as a killed job does; gives the server's double."""
    with BatchServerDouble() as server:
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(rounds._Rounds, "_await", killed)
            ask(requests(6), chat(server.base_url, price=PRICE), ledger)
        yield server


def test_live_asking_fetches_what_batches_answer_before_it_asks_the_rest(chat, ledger, left, capsys):
    live = chat(left.base_url, price=PRICE, batch=False)
    assert spent(live)["under_way"] > 0
    assert ask(requests(6), live, ledger) == [Reply("Yes", None)] * 6  # the double answers no live question
    assert set(left.paid.values()) == {1}
    assert "waiting for batch_0: paid already" in capsys.readouterr().err
    assert spent(live)["under_way"] == 0
    assert spent(live)["dollars"] == pytest.approx(6 * (1000 * 2.5 + 10 * 10) / 1e6 / 2)


def test_what_a_cancelled_batch_leaves_open_is_asked_live(chat, ledger, left):
    left.batches["batch_0"] |= {"status": "cancelled", "looks": -1}
    left.faults = {"POST /chat/completions": [(200, json.loads(Planned().payload("talker")))] * 6}
    assert ask(requests(6), chat(left.base_url, batch=False), ledger) == [Reply("Yes", None)] * 6
    assert len(left.batches) == 1


def test_a_batch_of_another_server_is_named_before_its_questions_are_paid_again(chat, ledger, left):
    served = chat(None, batch=False, server=["serve", "{port}"])
    with pytest.raises(UserError, match=r"waits for batch_0, which is paid and runs at another server.*WHERE batch = 'batch_0'"):
        ask(requests(6), served, ledger)
    left.batches.clear()
    with pytest.raises(UserError, match=r"knows no batch batch_0.*use the key.*sqlite3 .* \"DELETE FROM under_way WHERE batch = "):
        ask(requests(6), chat(left.base_url, batch=False), ledger)


def test_a_batch_of_questions_that_are_no_longer_asked_is_named_and_stays_counted(chat, ledger, left, capsys):
    config = chat(left.base_url, price=PRICE, temperature=0.5)
    assert ask(requests(1), config, ledger) == [Reply("Yes", None)]
    assert "batch batch_0 answers questions that are not asked now" in capsys.readouterr().err
    assert spent(config)["under_way"] == pytest.approx(6 * (10 / 4 * 2.5 + 32 * 10) / 1e6 / 2, rel=0.1)


def test_batched_answers_of_no_use_are_counted_too(chat, ledger):
    plan = lambda question: [Planned(model="other"), Planned("Yes")]  # noqa: E731
    with BatchServerDouble(plan) as server:
        config = chat(server.base_url, price=PRICE)
        assert ask(requests(2), config, ledger) == [Reply("Yes", None)] * 2
    assert spent(config)["calls"] == sum(server.paid.values()) == 4


FAULTS = {
    "upload": ("POST /files", [(500, {}), (0, None)]),
    "create": ("POST /batches", [(503, {}), (200, {"a": 1})]),
    "list": ("GET /batches", [(429, {})]),
    "retrieve": ("GET /batches/", [(0, None), (200, b"<html>"), (200, {"id": "x"})]),
    "download": ("GET /files/", [(500, {}), (0, None)]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_server_on_the_way_are_gone_over(chat, ledger, name):
    with BatchServerDouble() as server:
        words, replies = FAULTS[name]
        server.faults = {words: list(replies)}
        assert ask(requests(3), chat(server.base_url, attempts=5), ledger) == [Reply("Yes", None)] * 3
        assert server.faults[words] == []
    assert set(server.paid.values()) == {1}


ENDS = {
    "no batches here": ("POST /files", (404, {}), "has no Batch API for this key: set `chats.talk.batch: false`"),
    "another account": ("GET /batches/batch_0", (404, {}), "knows no batch batch_0.*use the key of the account that made it"),
    "key": ("POST /files", (401, {"error": {"message": f"Incorrect {KEY}"}}), "refuses the key.*key_variable"),
    "not allowed": ("POST /batches", (403, {"error": {"message": f"Not with {KEY}"}}), r"does not allow this key.*Not with \*\*\*"),
    "quota": ("POST /batches", (429, {"error": {"message": "x", "code": "billing_hard_limit_reached"}}), "no quota left"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_does_not_pass_ends_the_run_in_one_line_without_the_key(chat, ledger, monkeypatch, name):
    monkeypatch.setenv("TALKER_KEY", KEY)
    words, reply, message = ENDS[name]
    with BatchServerDouble() as server:
        server.faults = {words: [reply]}
        with pytest.raises(UserError, match=message) as raised:
            ask(requests(3), chat(server.base_url, key_variable="TALKER_KEY"), ledger)
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert KEY.encode() not in ledger.read_bytes()
    assert server.keys == {f"Bearer {KEY}"}


def test_lines_that_are_no_answers_are_asked_again(chat, ledger):
    strange = [b"{trunc", b"[]", b'{"custom_id": 5}', b'{"custom_id": "unknown", "response": {"status_code": 200, "body": {}}}']
    with BatchServerDouble() as server:
        server.faults = {"GET /files/": [(200, b"\n".join(strange))]}
        assert ask(requests(2), chat(server.base_url), ledger) == [Reply("Yes", None)] * 2
    assert len(server.batches) == 2


def test_a_batch_whose_file_is_gone_is_asked_anew(chat, ledger):
    with BatchServerDouble() as server:
        server.faults = {"GET /files/": [(404, {})]}
        assert ask(requests(2), chat(server.base_url), ledger) == [Reply("Yes", None)] * 2
    assert len(server.batches) == 2


def test_a_batch_that_could_pass_the_cap_is_not_created(chat, ledger):
    # 10 answers of at most 1,000 tokens at $10 a million, halved: $0.05.
    with BatchServerDouble() as server:
        config = chat(server.base_url, price=PRICE, max_tokens=1000, spending_cap=0.04)
        with pytest.raises(
            UserError, match=r"spent \$0\.00 of the cap \$0\.04 on talk, and what comes next may cost \$0\.05: raise"
        ):
            ask(requests(10), config, ledger)
        assert server.batches == {}
        assert (
            ask(requests(10), chat(server.base_url, price=PRICE, max_tokens=1000, spending_cap=0.06), ledger)
            == [Reply("Yes", None)] * 10
        )
    # Each answer had 1,000 tokens before and 10 after, at half the price.
    assert spent(config)["dollars"] == pytest.approx(10 * (1000 * 2.5 + 10 * 10) / 1e6 / 2)


def test_the_cap_leaves_what_is_under_way_to_be_stored_and_goes_on_where_it_cost_less(chat, ledger, monkeypatch):
    monkeypatch.setattr(lines, "MAX_REQUESTS", 2)
    with BatchServerDouble() as server:
        # A batch of two may cost $0.10 and costs $0.0026, so one fits under the cap at a time.
        config = chat(server.base_url, price=PRICE, max_tokens=10_000, spending_cap=0.11)
        assert ask(requests(6), config, ledger) == [Reply("Yes", None)] * 6
        assert (len(server.batches), server.most_open) == (3, 1)
        with pytest.raises(UserError, match=r"raise `chats.talk.spending_cap`"):
            ask([Request(f"more {number}") for number in range(20)], config, ledger)
    assert len(server.batches) == 4
    assert max(server.paid.values()) == 1


def test_progress_is_reported_when_there_is_some(chat, ledger, capsys):
    with BatchServerDouble(looks=5) as server:
        ask(requests(3), chat(server.base_url), ledger)
    words = capsys.readouterr().err
    assert "talker: batch batch_0 with 3 questions" in words
    assert words.count("in_progress") == 1
    assert "completed, 3 of 3 answered" in words
