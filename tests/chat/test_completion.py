import json

import pytest

from chat_double import Planned
from valuedrift.chat.completion import body, read
from valuedrift.chat.failures import MalformedAnswer, UnusableAnswer
from valuedrift.chat.messages import Request

LIKELIEST = [{"A": -0.5, " A": -2.0, "B": -1.5}]


def completion(**planned):
    return json.loads(Planned(**planned).payload("talker"))


def with_choice(**changed):
    whole = completion(likeliest=LIKELIEST)
    return whole | {"choices": [whole["choices"][0] | changed]}


def test_an_answer_keeps_its_text_its_tokens_and_the_likeliest_at_each_place_in_order(chat):
    answer = read(completion(text="A", likeliest=LIKELIEST, usage=(430, 1)), Request("a", logprobs=3), chat("http://x/v1"))
    assert answer == {
        "text": "A", "refusal": None, "finish_reason": "stop", "usage": [430, 1], "by": ["talk", "talker", None],
        "places": [("A", [("A", -0.5), ("B", -1.5), (" A", -2.0)])],
    }  # fmt: skip


def test_logprobs_are_neither_sent_for_nor_kept_unless_wanted(chat):
    config = chat("http://x/v1")
    assert "places" not in read(completion(likeliest=LIKELIEST), Request("a"), config)
    assert "logprobs" not in body("0" * 64, Request("a"), config)
    sent = body("0" * 64, Request("a", logprobs=20), config)
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 20)


MALFORMED = {
    "a list": [],
    "nothing": None,
    "no choices": {"model": "talker"},
    "choices that are none": {"model": "talker", "choices": None},
    "an empty choice": {"model": "talker", "choices": [None]},
    "no message": {"model": "talker", "choices": [{"finish_reason": "stop"}]},
    "a message that is none": with_choice(message="Yes"),
    "a text that is none": with_choice(message={"content": 7}),
    "a logprob that is not a number": with_choice(logprobs={"content": [{"token": "A", "top_logprobs": [{"token": "A", "logprob": float("nan")}]}]}),
    "a place that is none": with_choice(logprobs={"content": ["A"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_a_whole_answer_is_malformed(chat, name):
    with pytest.raises(MalformedAnswer) as raised:
        read(MALFORMED[name], Request("a", logprobs=3), chat("http://x/v1"))
    assert not isinstance(raised.value, UnusableAnswer)


@pytest.mark.parametrize(
    "logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "A", "top_logprobs": []}]}]
)
def test_missing_logprobs_are_distinguished(chat, logprobs):
    with pytest.raises(UnusableAnswer, match="returns no logprobs") as raised:
        read(with_choice(logprobs=logprobs) | {"usage": {"prompt_tokens": 9}}, Request("a", logprobs=3), chat("http://x/v1"))
    assert raised.value.paid == {"usage": [9, 0], "by": ["talk", "talker", None]}


def test_a_refusal_or_an_empty_answer_needs_no_logprobs(chat):
    config, request = chat("http://x/v1"), Request("a", logprobs=3)
    assert read(completion(text=None, refusal="No."), request, config)["refusal"] == "No."
    assert read(completion(text="", finish_reason="content_filter"), request, config)["finish_reason"] == "content_filter"
    assert read(completion(text="", likeliest=[]), request, config)["places"] == []


def test_a_model_may_answer_by_its_dated_name_and_no_other_may(chat):
    config = chat("http://x/v1", model="gpt-4o")
    for name in ("gpt-4o", "gpt-4o-2024-08-06"):
        assert read(completion(model=name), Request("a"), config)["text"] == "Yes"
    for name in ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4"):
        with pytest.raises(UnusableAnswer, match=f"answers as the model `{name}` where `gpt-4o` is asked"):
            read(completion(model=name), Request("a"), config)


@pytest.mark.parametrize(
    ("usage", "kept"),
    [(None, [0, 0]), ({}, [0, 0]), ({"prompt_tokens": None, "completion_tokens": 3}, [0, 3]), ("many", [0, 0])],
)
def test_a_server_may_not_say_how_many_tokens_it_took(chat, usage, kept):
    assert read(completion() | {"usage": usage}, Request("a"), chat("http://x/v1"))["usage"] == kept
