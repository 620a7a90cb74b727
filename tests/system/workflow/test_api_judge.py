"""A judge behind a server in the whole workflow: each answer is paid for once and kept, and one job asks at a time."""

import copy
import json

import polars as pl
import pytest

from chat_double import ChatServerDouble, Planned
from clone import SMALL
from valuedrift.io import tables

pytestmark = pytest.mark.workflow
LOGPROBS = {"A": -0.5, "B": -1.5, " C": -2.5, "The": -4.0}


def answer(_: str) -> Planned:
    """Return the answer of the server double, the same to every request."""
    likeliest = [{"token": token, "logprob": p, "bytes": None, "top_logprobs": []} for token, p in LOGPROBS.items()]
    place = {**likeliest[0], "top_logprobs": likeliest}
    message = {"role": "assistant", "content": "A", "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "length", "logprobs": {"content": [place], "refusal": None}}
    usage = {"prompt_tokens": 200, "completion_tokens": 1, "total_tokens": 201}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "talker", "choices": [choice], "usage": usage}
    return Planned(body=json.dumps(whole))


@pytest.fixture(scope="module")
def asked(finished):
    """The small study with a judge behind a server: its results, what was planned, the server, and its requests in one run."""
    config, clone = copy.deepcopy(SMALL), finished
    with ChatServerDouble(answer) as server:
        price = {"input": 2.5, "output": 10, "day": "2026-05-01"}
        config["chats"] = {
            "talker": {"model": "talker", "base_url": server.base_url, "max_tokens": 1, "concurrency": 3, "price": price}
        }
        config["judges"] = {**SMALL["judges"], "api": {"backend": "openai", "chat": "talker", "per_category": 2, "order_check": 8}}
        planned = clone.planned(config)
        clone.run(config)
        assert clone.planned(config) == {}
        once = len(server.asked)
        lost = list((clone.folder / "results" / "small" / "runs").rglob("stances/api.parquet"))
        for path in lost:
            path.unlink()
        clone.run(config, *(str(path.relative_to(clone.folder)) for path in lost))
        assert len(lost) == 4 and all(path.exists() for path in lost)
        yield clone.folder / "results" / "small", planned, server, once


def test_a_new_judge_reruns_its_own_stances_and_what_is_downstream_of_them(asked):
    _, planned, _, _ = asked
    assert (
        planned["service_stances"] == 4
        and planned["service_order_check"] == 1
        and not planned.keys() & {"stances", "sft", "dpo", "generations", "prompts"}
    )


def test_what_was_answered_is_never_asked_again(asked):
    _, _, server, once = asked
    assert once == len(server.asked) > 20


def test_jobs_that_ask_share_the_pace_by_running_one_at_a_time(asked):
    assert asked[2].most_at_once <= 3


def test_the_stances_are_the_servers_probabilities_on_the_sampled_prompts(asked):
    results, _, _, _ = asked
    stances = pl.concat([tables.STANCES.read(path) for path in results.rglob("stances/api.parquet")])
    assert set(stances.group_by("category").agg(pl.col("prompt_id").n_unique())["prompt_id"]) == {2}
    scored = stances.filter(pl.col("support").is_not_null())
    weights = [2.718281828**p for p in (-0.5, -1.5, -2.5)]
    assert scored["support"].to_list() == pytest.approx([weights[0] / sum(weights)] * scored.height)
    assert scored["mass"].to_list() == pytest.approx([sum(weights)] * scored.height)
    values = tables.VALUES.read(results / "runs" / "mini" / "wildchat" / "values.parquet")
    assert set(values["judge"]) == {"mini-judge", "oracle", "api"}


def test_the_judges_page_and_the_spending_are_there(asked):
    results, _, _, once = asked
    assert "api" in (results / "judges.html").read_text()
    spent = [json.loads(path.read_text()) for path in (results / "spending").glob("*.json")]
    assert sum(one["calls"] for one in spent) == once
    assert sum(one["dollars"] for one in spent) == pytest.approx(once * (200 * 2.5 + 10) / 1e6)
