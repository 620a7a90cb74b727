import json
import re
from datetime import date
from pathlib import Path

import pytest

from chat_double import ChatServerDouble, Planned
from valuedrift.chat import spending
from valuedrift.chat.client import ask
from valuedrift.chat.ledger import Ledger
from valuedrift.chat.messages import Request
from valuedrift.chat.spending import Budget, cost, estimate, money, shutdown_warning
from valuedrift.config.chat import PriceConfig
from valuedrift.errors import UserError

PRICE = PriceConfig(input=2.5, output=10, batch=0.4, day=date(2026, 11, 1))
ANSWER = {"text": "A", "usage": [1_000, 100]}  # $0.0025 and $0.001


@pytest.fixture
def book(tmp_path):
    with Ledger(tmp_path / "answers.sqlite") as ledger:
        yield ledger


@pytest.fixture
def priced(chat):
    return lambda **settings: chat("http://127.0.0.1:1/v1", **{"price": PRICE, **settings})


def files(config):
    return [json.loads(path.read_text()) for path in sorted(Path(config.spending).iterdir())]


def test_tokens_cost_their_price_and_a_batch_its_share_of_it():
    assert cost(PRICE, 1_000_000, 100_000) == pytest.approx(3.5)
    assert cost(PRICE, 1_000_000, 100_000, batch=True) == pytest.approx(1.4)
    assert cost(None, 1_000_000, 100_000) == 0


def test_a_question_is_estimated_by_its_length_and_its_longest_answer(priced):
    assert estimate(Request("x" * 30, system="y" * 10), priced(max_tokens=7)) == (10, 7)


@pytest.mark.parametrize(("dollars", "text"), [(0, "$0.00"), (1234.5, "$1,234.50"), (0.1, "$0.10"), (0.0026, "$0.0026")])
def test_money_is_readable_where_it_is_little(dollars, text):
    assert money(dollars) == text


def test_the_file_says_what_the_ledger_has_cost(priced, book):
    book.put({"a": ANSWER, "b": {**ANSWER, "batch": True}, "old": {"text": "without usage"}})
    config = priced()
    budget = Budget(config, book)
    (record,) = files(config)
    assert record.pop("dollars") == pytest.approx(0.0035 + 0.4 * 0.0035)
    assert not Path(record.pop("ledger")).is_absolute()
    tokens = {"question_tokens": 2_000, "answer_tokens": 200}
    assert record == {"chat": "talk", "model": "talker", "calls": 3, "under_way": 0, **tokens}
    budget.spend([ANSWER])
    budget.close()
    assert files(config)[0]["calls"] == 4


def test_what_a_ledger_has_cost_one_chat_or_model_stays_so_when_its_judge_moves_to_another(priced, book):
    def files_by_chat(**settings):
        config = priced(**settings)
        Budget(config, book)
        return {(one["chat"], one["model"]): (one["calls"], one["dollars"]) for one in files(config)}

    book.put({"a": ANSWER | {"by": ["talk", "talker", None]}, "b": ANSWER | {"by": ["talk", "talker", "v2"]}})
    before = {("talk", "talker"): (2, pytest.approx(0.007))}
    assert files_by_chat() == before
    assert files_by_chat(name="mini") == before | {("mini", "talker"): (0, 0)}
    book.put({"c": ANSWER | {"by": ["mini", "small", None]}})
    cheap = PRICE.model_copy(update={"input": 0.25, "output": 1})
    now = files_by_chat(name="mini", model="small", price=cheap)
    assert now == before | {("mini", "talker"): (0, 0), ("mini", "small"): (1, pytest.approx(0.00035))}


def test_the_cap_sees_what_is_under_way_in_other_ledgers_until_it_is_fetched(priced, book, tmp_path):
    config = priced(spending_cap=0.01)
    with Ledger(tmp_path / "second.sqlite") as second:
        other_budget = Budget(config, second)
        second.note_batch("batch_0", {"a": {"usage": [4_000, 1_000], "by": ["talk", "talker", None], "batch": True}})
        other_budget.look_under_way()
        budget = Budget(config, book)
        budget.check(upcoming=0.001)
        with pytest.raises(
            UserError,
            match=r"spent \$0.00 of the cap \$0.01 on talk, what is under way in batches may cost \$0.008, and what comes",
        ):
            budget.check(upcoming=0.003)
        second.forget_batch(["a"])
        other_budget.look_under_way()
        Budget(config, book).check(upcoming=0.003)


def test_a_killed_jobs_file_is_right_again_when_the_next_one_starts(priced, book):
    config = priced()
    budget = Budget(config, book)
    book.put({"a": ANSWER})
    budget.add([ANSWER])  # within the second, and never closed
    assert files(config)[0]["calls"] == 0
    Budget(config, book)
    assert files(config)[0]["calls"] == 1


def test_without_a_price_tokens_are_counted_all_the_same(priced, book):
    config = priced(price=None)
    budget = Budget(config, book)
    budget.spend([ANSWER] * 1000)
    budget.close()
    assert {key: files(config)[0][key] for key in ("answer_tokens", "dollars")} == {"answer_tokens": 100_000, "dollars": None}


def test_files_are_written_about_once_a_second(priced, book, monkeypatch):
    written = []
    monkeypatch.setattr(Budget, "_write", lambda self: written.append(setattr(self, "_written", spending.time.monotonic())))
    budget = Budget(priced(), book)
    for _ in range(5000):
        budget.spend([ANSWER])
    assert len(written) <= 4


def test_the_cap_is_over_all_jobs_that_ask_the_chat_and_over_no_others(priced, book, tmp_path):
    config = priced(spending_cap=0.01)
    with Ledger(tmp_path / "second.sqlite") as second, Ledger(tmp_path / "third.sqlite") as third:
        other = Budget(priced(spending_cap=0.01, name="other"), third)
        other.add([ANSWER] * 100)
        other.close()
        budget, other_budget = Budget(config, book), Budget(config, second)
        other_budget.spend([ANSWER] * 2)
        other_budget.close()
        budget.check(upcoming=0.003)
        with pytest.raises(
            UserError, match=r"spent \$0.007 of the cap \$0.01 on talk, and what comes next may cost \$0.004: raise"
        ):
            budget.check(upcoming=0.004)
        with pytest.raises(
            UserError, match=r"spent \$0.01\d* of the cap \$0.01 on talk: raise `chats.talk.spending_cap` to go on; what"
        ):
            budget.spend([ANSWER])


def test_what_is_being_written_or_no_json_is_no_spending(priced, book):
    config = priced(spending_cap=0.01)
    budget = Budget(config, book)
    whole = json.dumps({"chat": "talk", "dollars": 9})
    Path(config.spending, ".half.json").write_text(whole)
    Path(config.spending, "half.json").write_text(whole[:-4])
    assert budget.spent == (0, 0)


def test_live_asking_stops_at_the_cap_keeps_what_came_and_goes_on_when_it_is_raised(priced, tmp_path):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    body = {"model": "talker", "usage": usage, "choices": [{"message": {"content": "Yes"}, "finish_reason": "stop"}]}
    ledger, asked = tmp_path / "live.sqlite", [Request(f"question {number}") for number in range(40)]
    with ChatServerDouble(lambda _: Planned(body=json.dumps(body), delay=0.1)) as server:
        settings = {"base_url": server.base_url, "concurrency": 2}
        with pytest.raises(UserError, match=r"spent \$\S+ of the cap \$0.01 on talk.*questions are answered and kept"):
            ask(asked, priced(spending_cap=0.01).model_copy(update=settings), ledger)
        came = len(server.asked)
        assert 3 <= came < 20  # the third reaches the cap; two are under way, and a few come while the ledger writes
        with pytest.raises(UserError, match=r"raise `chats.talk.spending_cap`"):
            ask(asked, priced(spending_cap=0.01).model_copy(update=settings), ledger)
        assert len(server.asked) == came
        assert all(reply.text for reply in ask(asked, priced(spending_cap=1).model_copy(update=settings), ledger))
    assert sorted(server.questions) == sorted(request.user for request in asked)


DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("shutdown", "words"),
    [
        ("2026-12-01", r"talker is shut down on 2026-12-01 \(in 11 days\)"),
        ("2026-10-23", r"talker was shut down on 2026-10-23 \(28 days ago\)"),
        (DAY, r"talker is shut down on 2026-11-20 \(in 0 days\)"),
    ],
)
def test_a_model_that_is_shut_down_is_warned_of(priced, shutdown, words):
    assert re.match(words, shutdown_warning(priced(shutdown=shutdown), DAY) or "")
    assert shutdown_warning(priced(), DAY) is None
