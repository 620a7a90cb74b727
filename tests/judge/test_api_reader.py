from math import log

import pytest

from chat_double import ChatServerDouble, Planned
from valuedrift.chat.messages import Place
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.api import ApiReader, reading_of
from valuedrift.judge.backend import Prompt, Reading

WORDS = ("support", "neutral", "oppose")


def place(**shares):
    """A token of an answer from its candidates' probabilities; the first was chosen. `_` stands for a space, `open` for "("."""
    named = {name.replace("_", " ").replace("open", "("): p for name, p in shares.items()}
    return Place(next(iter(named)), sorted(((token, log(p)) for token, p in named.items()), key=lambda pair: -pair[1]))


@pytest.fixture
def reader(tmp_path):
    def make(server, temperature=0.0, **settings) -> ApiReader:
        chat = ChatJob(name="talk", spending=str(tmp_path / "spending"), model="m", base_url=server.base_url, max_tokens=3,
                       temperature=temperature, concurrency=1)  # fmt: skip
        return ApiReader(JudgeConfig(backend="openai", chat="talk", **settings), chat, tmp_path / "ledger.sqlite")

    return make


def test_variants_of_an_option_are_summed():
    found = reading_of([place(A=0.5, _A=0.1, B=0.2, support=0.05, _Oppose=0.05, The=0.02, C=0.01)], WORDS)
    assert found.letters == pytest.approx((0.65, 0.2, 0.06)) and found.bound == 0


def test_a_missing_option_gets_the_last_probability_returned_and_is_marked():
    found = reading_of([place(A=0.6, B=0.2, The=0.01)], WORDS)
    assert found.letters == pytest.approx((0.6, 0.2, 0.01)) and found.bound == pytest.approx(0.01)


def test_missing_options_share_what_is_left_where_that_is_less():
    found = reading_of([place(A=0.9, The=0.06)], WORDS)
    assert found.letters == pytest.approx((0.9, 0.02, 0.02)) and found.bound == pytest.approx(0.04)
    assert sum(reading_of([place(A=1.0)], WORDS).letters) == pytest.approx(1)


def test_rounded_probabilities_never_sum_to_more_than_1():
    found = reading_of([place(open=0.905, A=0.1, B=0.004), place(A=0.6, B=0.4, C=0.009)], WORDS)
    assert sum(found.letters) == pytest.approx(1) and found.letters[0] / found.letters[1] == pytest.approx(0.643 / 0.366, rel=1e-3)


def test_an_opener_is_followed_with_its_probability():
    found = reading_of([place(open=0.8, A=0.1, B=0.05, C=0.05), place(A=0.5, B=0.25, C=0.25)], WORDS)
    assert found.letters == pytest.approx((0.5, 0.25, 0.25)) and found.bound == 0
    cut = reading_of([place(open=0.8, A=0.1, B=0.05, C=0.05)], WORDS)
    assert sum(cut.letters) == pytest.approx(0.2)


def test_tokens_after_an_option_are_not_read():
    assert reading_of([place(A=0.5, B=0.25, C=0.25), place(C=1.0)], WORDS).letters == pytest.approx((0.5, 0.25, 0.25))


def test_logprobs_without_any_option_are_unscorable():
    for places in ([place(I=0.9, The=0.1)], [], [place(open=1.0)]):
        assert reading_of(places, WORDS) == "unscorable: no option among the logprobs returned"


def test_readings_come_from_a_servers_logprobs_and_are_asked_once(reader):
    plans = {
        "a": Planned("(B", finish_reason="length", likeliest=[{"(": log(0.5), "B": log(0.5)}, {"B": log(0.6), "A": log(0.2), "C": log(0.2)}]),
        "b": Planned(None, refusal="no"),
        "c": Planned("I", likeliest=[{"I": -0.1, "The": -3.0}]),
    }  # fmt: skip
    with ChatServerDouble(lambda question: plans[question]) as server:
        prompts = [Prompt(text, WORDS) for text in plans]
        found = reader(server)(prompts)
        assert reader(server)(prompts) == found
    assert found[0].letters == pytest.approx((0.1, 0.8, 0.1))
    assert found[1:] == ["unscorable: refused", "unscorable: no option among the logprobs returned"]
    assert len(server.asked) == 3
    assert all(asked["logprobs"] is True and asked["top_logprobs"] == 20 for asked in server.asked)


def test_a_server_without_logprobs_is_refused(reader):
    with ChatServerDouble() as server, pytest.raises(UserError, match="logprobs"):
        reader(server)([Prompt("a")])


def test_sampling_reads_the_shares_of_the_letters(reader):
    texts = ["A", "(A)", "A) support: it does", "support", "**B**", "A view of it", "neither", "C", "C.", ""]
    with ChatServerDouble(
        lambda question: (
            [Planned(text, "length" if ":" in text else "stop") for text in texts]
            if question == "a"
            else Planned(None, refusal="no")
        )
    ) as server:
        found = reader(server, temperature=1.0, reading="sampling", samples=10)([Prompt("a", WORDS), Prompt("b", WORDS)])
    assert found == [Reading((0.4, 0.1, 0.2)), "unscorable: refused"]
    assert len(server.asked) == 20 and not any("logprobs" in asked for asked in server.asked)


def test_sampling_without_temperature_would_give_one_answer_many_times(reader):
    with ChatServerDouble() as server, pytest.raises(UserError, match="`temperature` above 0 in the chat `talk`"):
        reader(server, reading="sampling")
