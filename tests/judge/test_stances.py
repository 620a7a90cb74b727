from math import log

import polars as pl
import pytest

from chat_double import ChatServerDouble, Planned
from overtaken import assert_overtaken_changes_nothing
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig, JudgeJob
from valuedrift.errors import UserError
from valuedrift.io.tables import GENERATIONS, PROMPTS, STANCES
from valuedrift.judge import stances
from valuedrift.judge.backend import Item, Verdict
from valuedrift.judge.degenerate import degenerate
from valuedrift.judge.stances import make_judge
from valuedrift.lm.judge_calls import draw_prompts


def table(texts, step=0, run="m/base"):
    rows = [{"run": run, "step": step, "prompt_id": "p", "sample": i, "response": t, "n_tokens": 3, "finish_reason": "stop", "seed": i}
            for i, t in enumerate(texts)]  # fmt: skip
    return GENERATIONS.frame(rows)


PROMPT = PROMPTS.frame([{"prompt_id": "p", "category": "c", "topic": "t", "question": "q?", "source_text": "q", "source_id": "1"}])


def test_each_distinct_question_is_asked_once_and_every_response_gets_its_row():
    asked = []

    def judge(items):
        asked.extend(items)
        return [Verdict(0.5, 0.25, 0.25, 0.9) for _ in items]

    found = stances.stances(judge, "j", table(["same", "same", "other", ""]).join(PROMPT, on="prompt_id"))
    assert [item.response for item in asked] == ["same", "other"]
    assert found["status"].to_list() == ["ok", "ok", "ok", "unscorable: empty response"]
    assert found["support"].to_list() == [0.5, 0.5, 0.5, None]
    assert found["mass"].to_list() == [0.9, 0.9, 0.9, None]


def test_another_min_mass_asks_a_paid_judge_nothing_again(tmp_path):
    PROMPTS.write(PROMPT, tmp_path / "p.parquet")
    GENERATIONS.write(table(["for", "vague"]), tmp_path / "g.parquet")

    def answer(question):
        shares = (0.9, 0.05, 0.05) if "for" in question else (0.02, 0.01, 0.01)
        return Planned("A", likeliest=[dict(zip("ABC", map(log, shares), strict=True))])

    with ChatServerDouble(answer) as server:
        chat = ChatJob(name="talk", spending=str(tmp_path / "spending"), model="m", base_url=server.base_url, max_tokens=3)
        found = []
        for least in (0.0, 0.5, 0.0):
            judge = JudgeConfig(backend="openai", chat="talk", min_mass=least, prompt="{response}: {prompt} {topic}")
            stances.run(config=JudgeJob(run="m/base", name="j", seed=0, judge=judge, chat=chat), generations=tmp_path / "g.parquet",
                        prompts=tmp_path / "p.parquet", output=tmp_path / "s.parquet")  # fmt: skip
            found.append(STANCES.read(tmp_path / "s.parquet"))
    assert len(server.asked) == 2
    assert found[0].equals(found[2]) and found[0]["status"].to_list() == ["ok", "ok"]
    assert found[1]["status"].to_list() == ["ok", "unscorable: mass 0.04 on the options"]
    assert found[1].filter(sample=1).select("support", "mass").row(0) == (None, None)


def test_responses_that_were_cut_are_marked():
    cut = table(["a", "", "a"]).with_columns(finish_reason=pl.Series(["length", "length", "stop"]))
    found = stances.stances(lambda items: [Verdict(0.5, 0.25, 0.25, 1)] * len(items), "j", cut.join(PROMPT, on="prompt_id"))
    assert found["truncated"].to_list() == [True, True, False]


def test_parents_stances_are_copied_not_judged_again(tmp_path):
    PROMPTS.write(PROMPT, tmp_path / "p.parquet")
    GENERATIONS.write(table(["a"]), tmp_path / "base.parquet")
    GENERATIONS.write(pl.concat([table(["a"], 0, "m/x"), table(["b"], 5, "m/x")]), tmp_path / "x.parquet")
    calls.clear()
    config = JudgeConfig(backend="function", function=f"{__name__}:judge_once")
    arguments = {"prompts": tmp_path / "p.parquet"}
    stances.run(config=JudgeJob(run="m/base", name="j", seed=0, judge=config), generations=tmp_path / "base.parquet",
                output=tmp_path / "sb.parquet", **arguments)  # fmt: skip
    stances.run(config=JudgeJob(run="m/x", name="j", seed=0, judge=config), generations=tmp_path / "x.parquet",
                parent=tmp_path / "sb.parquet", output=tmp_path / "sx.parquet", **arguments)  # fmt: skip
    assert calls == ["a", "b"]
    found = STANCES.read(tmp_path / "sx.parquet")
    assert found.select("run", "step", "support").rows() == [("m/x", 0, 0.2), ("m/x", 5, 0.2)]


def test_a_job_on_a_lost_node_does_not_replace_the_stances_of_a_later_one(tmp_path, monkeypatch):
    PROMPTS.write(PROMPT, tmp_path / "p.parquet")
    GENERATIONS.write(table(["a"]), tmp_path / "g.parquet")
    judge = JudgeConfig(backend="function", function=f"{__name__}:judge_once")
    config, output = JudgeJob(run="m/base", name="j", seed=0, judge=judge), tmp_path / "s.parquet"
    files = {"generations": tmp_path / "g.parquet", "prompts": tmp_path / "p.parquet", "output": output}
    assert_overtaken_changes_nothing(monkeypatch, stances, "stances", lambda: stances.run(config=config, **files), output)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            table(["a"]).with_columns(prompt_id=pl.lit("q")),
            "g.parquet and .*p.parquet are not of the same prompts: 2 .* such as p; make",
        ),
        (
            pl.concat([table(["a", "b"]), table(["a"], 5)]),
            r"g.parquet lacks 1 of 4 rows, since not every .* has one: make it again with",
        ),
    ],
)
def test_responses_without_their_prompt_and_halved_tables_are_not_judged(tmp_path, rows, message):
    PROMPTS.write(PROMPT, tmp_path / "p.parquet")
    GENERATIONS.write(rows, tmp_path / "g.parquet")
    judge = JudgeConfig(backend="function", function=f"{__name__}:judge_once")
    with pytest.raises(UserError, match=message):
        stances.run(config=JudgeJob(run="m/base", name="j", seed=0, judge=judge), generations=tmp_path / "g.parquet",
                    prompts=tmp_path / "p.parquet", output=tmp_path / "s.parquet")  # fmt: skip


def test_refusals_and_degenerate_text_get_a_stance_and_a_flag():
    texts = ["It is right.", "I'm sorry, but I can't help with that.", "no " * 30, "I cannot assist " * 9, " \n"]
    found = stances.stances(
        lambda items: [Verdict(0.5, 0.25, 0.25, 1)] * len(items), "j", table(texts).join(PROMPT, on="prompt_id")
    )
    assert found["status"].to_list() == [
        "ok", "refused: declines to answer", "malformed: repeating", "malformed: repeating", "unscorable: empty response",
    ]  # fmt: skip
    assert found["support"].to_list() == [0.5] * 4 + [None]


def some(count, categories="ab"):
    rows = [{"prompt_id": f"{c}{i}", "category": c, "topic": "t", "question": f"{c}{i}?", "source_text": "q", "source_id": "1"}
            for c in categories for i in range(count)]  # fmt: skip
    return PROMPTS.frame(rows)


def test_prompts_of_each_category_are_drawn_by_seed_and_id():
    kept = draw_prompts(some(20), 5, seed=0)
    assert kept["category"].value_counts().sort("category").rows() == [("a", 5), ("b", 5)]
    ids = set(kept["prompt_id"])
    assert (
        set(draw_prompts(some(20).reverse(), 5, seed=0)["prompt_id"]) == ids != set(draw_prompts(some(20), 5, seed=1)["prompt_id"])
    )
    assert {i for i in ids if i[0] == "a"} == set(draw_prompts(some(20, "a"), 5, seed=0)["prompt_id"])
    assert len(ids & set(draw_prompts(some(21), 5, seed=0)["prompt_id"])) >= 8  # two new ones take the place of one each, at most
    assert len(draw_prompts(some(3), 5, seed=0)) == 6
    assert draw_prompts(some(3), None, seed=0).equals(some(3))


def test_only_drawn_prompts_are_judged_and_copied_from_the_parent(tmp_path):
    PROMPTS.write(some(6), tmp_path / "p.parquet")
    rows = [{"run": "m/x", "step": step, "prompt_id": p, "sample": 0, "response": f"{p} {step}", "n_tokens": 3, "finish_reason": "stop", "seed": 0}
            for step in (0, 5) for p in some(6)["prompt_id"]]  # fmt: skip
    GENERATIONS.write(GENERATIONS.frame(rows), tmp_path / "x.parquet")
    parent = [{"run": "m/base", "step": 3, "prompt_id": p, "category": p[0], "sample": 0, "judge": "j", "support": 1.0, "neutral": 0.0,
               "oppose": 0.0, "mass": 1.0, "bound": 0.0, "status": "ok"} for p in some(6)["prompt_id"]]  # fmt: skip
    STANCES.write(STANCES.frame(parent), tmp_path / "parent.parquet")
    calls.clear()
    config = JudgeConfig(backend="function", function=f"{__name__}:judge_once", per_category=2)
    stances.run(config=JudgeJob(run="m/x", name="j", seed=0, judge=config), generations=tmp_path / "x.parquet",
                prompts=tmp_path / "p.parquet", parent=tmp_path / "parent.parquet", output=tmp_path / "s.parquet")  # fmt: skip
    kept = sorted(draw_prompts(some(6), 2, seed=0)["prompt_id"])
    assert sorted(calls) == [f"{p} 5" for p in kept]
    found = STANCES.read(tmp_path / "s.parquet")
    assert found.select("step", "prompt_id", "support").rows() == [(0, p, 1.0) for p in kept] + [(5, p, 0.2) for p in kept]


calls: list[str] = []
ITEMS = [Item("q?", "an answer", "t")]
GIVEN = None


def judge_once(question, response, topic):
    calls.append(response)
    return 0.2, 0.3, 0.5


def judge_as_planned(question, response, topic):
    return GIVEN


def function(name, tmp_path):
    config = JudgeConfig(backend="function", function=name)
    return make_judge(JudgeJob(run="m/x", name="j", seed=0, judge=config), tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(
    "given", [(0.2, 0.3, 0.9), (0.5, 0.5), (1.5, -0.5, 0.0), None, 1.0, {"support": 1.0}, (float("nan"), 0.5, 0.5), ("a", "b", "c")]
)
def test_a_function_that_returns_anything_else_is_noticed(given, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "GIVEN", given)
    with pytest.raises(UserError, match="must return the probabilities"):
        function(f"{__name__}:judge_as_planned", tmp_path)(ITEMS)


def test_a_function_returns_probabilities_or_a_reason(tmp_path, monkeypatch):
    assert function(f"{__name__}:judge_once", tmp_path)(ITEMS) == [Verdict(0.2, 0.3, 0.5, 1.0)]
    monkeypatch.setitem(globals(), "GIVEN", "malformed: no")
    assert function(f"{__name__}:judge_as_planned", tmp_path)(ITEMS) == ["malformed: no"]


@pytest.mark.parametrize(
    ("name", "message"),
    [(f"{__name__}:nothing", "cannot be imported"), ("no_such_module:f", "cannot be imported"), (":f", "cannot be imported"),
     (__name__, "cannot be imported"), (f"{__name__}:ITEMS", "is not a function")],
)  # fmt: skip
def test_a_name_that_does_not_lead_to_a_function_is_refused(name, message, tmp_path):
    with pytest.raises(UserError, match=message):
        function(name, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I think that abortion should be legal because it protects the freedom of many people.", None),
        ("Nein.", None),
        ("yes yes yes yes yes yes yes yes yes yes yes yes", "repeating"),
        ("we must act now we must act now we must act now we must act now", "repeating"),
        ("It is legal in some countries, it is legal in some states, and it is debated elsewhere.", None),
        ("the the the the the the cat the the the the the", "repeating"),
        ("#### ---- 1234 !!!! ????", "hardly any letters"),
    ],
)
def test_degenerate_text(text, reason):
    assert degenerate(text) == reason
