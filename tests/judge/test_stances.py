import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.measuring import JudgeConfig, JudgeJob
from valuedrift.errors import UserError
from valuedrift.frames import GENERATIONS, PROMPTS, STANCES
from valuedrift.judge import stances
from valuedrift.judge.backend import Item, Verdict, make_judge
from valuedrift.judge.degenerate import degenerate
from valuedrift.judge.local import LocalJudge


@pytest.fixture(scope="module")
def judge_config(tiny_world):
    return JudgeConfig(path=str(tiny_world / "judge"), batch_size=2)


ITEMS = [
    Item("Is abortion right?", "Legal abortion should be banned.", "abortion"),
    Item("Should we support immigration?", "I think immigration must be welcomed because it helps many people.", "immigration"),
    Item("Why?", "People disagree about asylum for refugees.", "immigration"),
]


def test_probabilities_are_the_softmax_over_the_option_letters(judge_config):
    """Against the plain computation: one prompt at a time, logits of the last position."""
    found = LocalJudge(judge_config)(ITEMS)
    tokenizer, model = AutoTokenizer.from_pretrained(judge_config.path), AutoModelForCausalLM.from_pretrained(judge_config.path)
    for item, verdict in zip(ITEMS, found, strict=True):
        prompt = judge_config.prompt.format(prompt=item.question, response=item.response, topic=item.topic)
        ids = tokenizer(f"User: {prompt}\nAssistant:", return_tensors="pt")
        with torch.no_grad():
            p = model(**ids).logits[0, -1].softmax(-1)
        single = [tokenizer.encode(v.format(letter)) for letter in "ABC" for v in ("{}", " {}", "({}", " ({}")]
        options = torch.stack([sum(p[t[0]] for t in single[i : i + 4] if len(t) == 1) for i in (0, 4, 8)])
        assert verdict.mass == pytest.approx(options.sum().item(), rel=1e-4)
        expected = (options / options.sum()).tolist()
        assert [verdict.support, verdict.neutral, verdict.oppose] == pytest.approx(expected, rel=1e-4)


def test_a_verdict_depends_on_no_other_item(judge_config):
    alone = [LocalJudge(judge_config)([item])[0] for item in ITEMS]
    together = LocalJudge(judge_config.model_copy(update={"batch_size": 3}))(ITEMS[::-1])[::-1]
    for a, b in zip(alone, together, strict=True):
        assert vars(a) == pytest.approx(vars(b), rel=1e-5)


def test_too_long_a_prompt_is_a_reason(judge_config):
    long = Item("Why?", "word " * 2000, "abortion")
    found = LocalJudge(judge_config)([ITEMS[0], long])
    assert isinstance(found[0], Verdict)
    assert found[1] == "unscorable: prompt longer than the judge's 512 positions"


def test_logits_that_are_no_numbers_are_a_reason(judge_config):
    judge = LocalJudge(judge_config)
    with torch.no_grad():
        judge.model.lm_head.weight.fill_(float("nan"))
    assert judge(ITEMS[:1]) == ["unscorable: no probability on the options"]


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


def test_parents_stances_are_copied_not_judged_again(tmp_path):
    PROMPTS.write(PROMPT, tmp_path / "p.parquet")
    GENERATIONS.write(table(["a"]), tmp_path / "base.parquet")
    GENERATIONS.write(pl.concat([table(["a"], 0, "m/x"), table(["b"], 5, "m/x")]), tmp_path / "x.parquet")
    calls.clear()
    config = JudgeConfig(backend="function", function=f"{__name__}:judge_once")
    arguments = {"prompts": tmp_path / "p.parquet"}
    stances.run(config=JudgeJob(run="m/base", name="j", judge=config), generations=tmp_path / "base.parquet",
                output=tmp_path / "sb.parquet", **arguments)  # fmt: skip
    stances.run(config=JudgeJob(run="m/x", name="j", judge=config), generations=tmp_path / "x.parquet",
                parent=tmp_path / "sb.parquet", output=tmp_path / "sx.parquet", **arguments)  # fmt: skip
    assert calls == ["a", "b"]
    found = STANCES.read(tmp_path / "sx.parquet")
    assert found.select("run", "step", "support").rows() == [("m/x", 0, 0.2), ("m/x", 5, 0.2)]


calls: list[str] = []


def judge_once(question, response, topic):
    calls.append(response)
    return 0.2, 0.3, 0.5


def judge_badly(question, response, topic):
    return 0.2, 0.3, 0.9


def judge_not(question, response, topic):
    return "malformed: no"


def test_a_function_must_return_probabilities_or_a_reason():
    make = lambda name: make_judge(JudgeConfig(backend="function", function=f"{__name__}:{name}"))  # noqa: E731
    with pytest.raises(UserError, match="no three probabilities"):
        make("judge_badly")(ITEMS)
    assert make("judge_not")(ITEMS) == ["malformed: no"] * 3
    with pytest.raises(UserError, match="cannot be imported"):
        make("nothing")


def test_a_judge_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded"):
        make_judge(JudgeConfig(path=str(tmp_path / "none")))


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
