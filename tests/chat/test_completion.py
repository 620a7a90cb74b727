import json

import pytest

from chat_double import Planned
from valuedrift.chat.completion import body, read
from valuedrift.chat.malformed import UnusableAnswer
from valuedrift.chat.messages import Request

KEY = "sk-planted-0123456789"
LIKELIEST = [{"A": -0.5, " A": -2.0, "B": -1.5}]


def completion(**planned):
    return json.loads(Planned(**planned).payload("talker"))


def with_choice(**changed):
    whole = completion(likeliest=LIKELIEST)
    return whole | {"choices": [whole["choices"][0] | changed]}


def test_an_answer_keeps_its_text_its_tokens_and_the_likeliest_at_each_place_in_order(chat):
    answer = read(completion(text="A", likeliest=LIKELIEST, usage=(430, 1)), Request("a", logprobs=3), chat("http://x/v1"), KEY)
    assert answer == {
        "text": "A", "refusal": None, "finish_reason": "stop", "usage": [430, 1], "by": ["talk", "talker", None],
        "places": [("A", [("A", -0.5), ("B", -1.5), (" A", -2.0)])],
    }  # fmt: skip


def test_logprobs_are_neither_sent_for_nor_kept_unless_wanted(chat):
    config = chat("http://x/v1")
    assert "places" not in read(completion(likeliest=LIKELIEST), Request("a"), config, KEY)
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
    with pytest.raises(UnusableAnswer) as raised:
        read(MALFORMED[name], Request("abcdefgh", logprobs=3), chat("http://x/v1"), KEY)
    assert raised.value.paid == {"usage": [2, 32], "by": ["talk", "talker", None]}


@pytest.mark.parametrize(
    "logprobs", [None, {}, {"content": None}, {"content": []}, {"content": [{"token": "A", "top_logprobs": []}]}]
)
def test_missing_logprobs_are_distinguished(chat, logprobs):
    with pytest.raises(UnusableAnswer, match="returns no logprobs") as raised:
        read(with_choice(logprobs=logprobs) | {"usage": {"prompt_tokens": 9}}, Request("a", logprobs=3), chat("http://x/v1"), KEY)
    assert raised.value.paid == {"usage": [9, 32], "by": ["talk", "talker", None]}


def test_a_refusal_or_an_empty_answer_needs_no_logprobs(chat):
    config, request = chat("http://x/v1"), Request("a", logprobs=3)
    assert read(completion(text=None, refusal="No."), request, config, KEY)["refusal"] == "No."
    assert read(completion(text="", finish_reason="content_filter"), request, config, KEY)["finish_reason"] == "content_filter"
    assert read(completion(text="", likeliest=[]), request, config, KEY)["places"] == []


def test_a_model_may_answer_by_its_dated_name_and_no_other_may(chat):
    config = chat("http://x/v1", model="gpt-4o")
    for name in ("gpt-4o", "gpt-4o-2024-08-06"):
        assert read(completion(model=name), Request("a"), config, KEY)["text"] == "Yes"
    for name in ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4"):
        with pytest.raises(UnusableAnswer, match=f"answers as the model `{name}` where `gpt-4o` is asked"):
            read(completion(model=name), Request("a"), config, KEY)


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        (None, [2, 32]),
        ({}, [2, 32]),
        ({"prompt_tokens": None, "completion_tokens": 3}, [2, 3]),
        ("many", [2, 32]),
        ({"prompt_tokens": -220_001, "completion_tokens": True}, [2, 32]),
        ({"prompt_tokens": 10**18, "completion_tokens": 0}, [2, 0]),
    ],
)
def test_tokens_that_a_server_does_not_say_or_that_cannot_be_are_estimated_at_the_most(chat, usage, kept):
    request, config = Request("abcdefgh"), chat("http://x/v1")
    assert read(completion() | {"usage": usage}, request, config, KEY)["usage"] == kept
    with pytest.raises(UnusableAnswer) as raised:
        read({"choices": [], "usage": usage}, request, config, KEY)
    assert raised.value.paid["usage"] == kept
