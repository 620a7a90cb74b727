import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from chat_double import ChatServerDouble, Planned
from manifests import manifest
from valuedrift.chat.ledger import Ledger
from valuedrift.config.judge import JudgeJob
from valuedrift.config.load import load_study_config, merge
from valuedrift.errors import UserError
from valuedrift.io.tables import GENERATIONS, PROMPTS
from valuedrift.judge.backend import Item
from valuedrift.judge.stances import make_judge
from valuedrift.lm.judge_prompt import judge_prompt
from valuedrift.manage.plan import run
from valuedrift.manage.plan.chat_calls import lines, uses
from valuedrift.sizing.amount import Amount
from valuedrift.sizing.counts import Workload
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
PRICED = {
    "chats": {
        "big": {
            "model": "gpt-4o", "max_tokens": 4, "price": {"input": 2.5, "output": 10, "day": "2026-11-01"}, "spending_cap": 0.02,
        }
    },
    "judges": {"paid": {"backend": "openai", "chat": "big", "order_check": 0}},
}  # fmt: skip
MINIATURE = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory: nothing of any study is there."""
    monkeypatch.chdir(tmp_path)


def study(*overlays, base=MINIATURE):
    values = base
    for overlay in overlays:
        values = merge(values, overlay)
    return Study(load_study_config(values))


def work(*overlays, base=MINIATURE):
    return Workload(study(*overlays, base=base))


def use(name, *overlays, base=MINIATURE):
    return next(found for found in uses(work(*overlays, base=base)) if found.name == name)


def test_without_any_results_the_miniatures_judge_has_at_most_as_many_calls_as_the_config_allows():
    # 13 runs with 4 checkpoints and the base model; 11 categories of 30 prompts, 2 samples each.
    assert str(use("judge mini-judge").calls) == "≤34,980"
    assert use("judge mini-judge").calls.value == (13 * 4 + 1) * 330 * 2
    assert use("synthetic answers").calls == Amount(2 * 150 * 11, "≤")


def test_orders_samples_and_fewer_prompts_multiply_the_calls():
    once = use("judge paid", PRICED).calls.value
    for judge, factor in (
        ({"orders": "latin"}, 3),
        ({"orders": "all"}, 6),
        ({"per_category": 15}, 0.5),
        ({"per_category": 50}, 1),
        ({"reading": "sampling", "samples": 7}, 7),
    ):
        chats = {"chats": {"big": {"temperature": 1.0}}}
        assert use("judge paid", PRICED, chats, {"judges": {"paid": judge}}).calls.value == factor * once


def test_the_check_of_the_options_orders_is_counted_and_priced():
    checked = use("orders of paid", PRICED, {"judges": {"paid": {"order_check": 200}}})
    assert checked.calls == Amount(200 * 6, "≤") and checked.price(batch=False).value > 0
    all_there_are = use("orders of paid", PRICED, {"judges": {"paid": {"order_check": 10**9}}})
    assert all_there_are.calls.value == (13 + 1) * 330 * 2 * 6  # the last checkpoints and the base model
    sampled = {"judges": {"paid": {"reading": "sampling", "samples": 7, "order_check": 10}}, "chats": {"big": {"temperature": 1.0}}}
    assert use("orders of paid", PRICED, sampled).calls.value == 10 * 6 * 7
    in_all = {"judges": {"paid": {"order_check": 200, "orders": "all"}}}
    assert "orders of paid" not in [one.name for one in uses(work(PRICED, in_all))]


def test_a_second_sampling_is_counted_and_priced():
    twice = {"judge": "paid", "generation": {"replicates": 2}}
    once, again = use("judge paid", PRICED, twice), use("judge paid, again", PRICED, twice)
    assert once.calls == use("judge paid", PRICED).calls and again.price(batch=False).value > 0
    assert again.calls.value == once.calls.value / (13 * 4 + 1) * 14  # of four checkpoints the last, and the base model
    assert "judge paid, again" not in [one.name for one in uses(work(PRICED))]


def test_the_papers_checkpoints_follow_from_the_rows_that_it_reports():
    paper = study(base=PAPER)
    checkpoints = {one.id: Workload(paper).checkpoints(one) for one in paper.runs.values()}
    assert checkpoints["llama3-3b/base"] == Amount(1)
    assert checkpoints["llama3-3b/wildchat"] == Amount(12, "~")  # 5,997 steps, every 500: the paper's twelfths
    assert checkpoints["llama3-3b/alpaca"] == Amount(11, "~")  # 1,098 steps, every 100
    assert checkpoints["llama3-3b/wildchat/dpo-ultrafeedback"] == Amount(15, "~")  # 5,712 steps, every 400
    # PPO's batches may span two passes: 9,453 rows, three times, in batches of 32 are 886.2 batches of all, and three times 296.
    run = "llama3-3b/wildchat/{}-synthetic-support"
    assert [Workload(paper).steps(paper.runs[run.format(algorithm)]).value for algorithm in ("ppo", "dpo")] == [887, 888]


def test_unknown_rows_are_said_and_leave_the_rest_counted():
    without = {"datasets": {"alpaca": {"expected": None}}}
    paid = use("judge paid", PRICED, without, base=PAPER)
    assert str(paid.calls).endswith(" + ?")
    assert paid.calls.value > 0
    found = lines(uses(work(PRICED, without, base=PAPER)))
    assert any(line.startswith("not known in part: judge paid: how many rows alpaca has") for line in found)


PROMPT = {
    "prompt_id": "p",
    "category": "Race and Racism",
    "topic": "racism",
    "question": "Is it?",
    "source_text": "",
    "source_id": "s",
}


def responses(name, texts_by_step):
    """Write the responses of a run: step -> texts."""
    rows = [
        {"run": name, "step": step, "prompt_id": "p", "sample": i, "response": text, "n_tokens": 1, "finish_reason": "stop", "seed": 0}
        for step, texts in texts_by_step.items() for i, text in enumerate(texts)
    ]  # fmt: skip
    GENERATIONS.write(GENERATIONS.frame(rows), Path("results/miniature/runs") / name / "generations.parquet")


@pytest.fixture
def one_run():
    """A study of one SFT run, which has its responses: 'Yes' and 'No' at step 5, and an empty one; step 0 is the base model's."""
    PROMPTS.write(PROMPTS.frame([PROMPT]), Path("results/miniature/prompts/prompts.parquet"))
    later = ["Yes", "No, it is not.", " "]
    responses("mini/alpaca", {0: ["Never judged again"], 5: later, 9: later})
    responses("mini/base", {0: ["Yes", "Yes"]})
    runs = [{"parent": "mini/base", "algorithm": "sft", "data": "alpaca"}]
    alone = {"runs": runs, "tables": {}, "figures": {}, "synthetic": None}
    return merge(MINIATURE | alone, PRICED)


def test_responses_that_are_there_are_counted_each_text_once_and_measured(one_run):
    found = use("judge paid", base=one_run)
    assert found.calls == Amount(3)  # Yes and No of the run, Yes of the base model
    assert list(Path().rglob("*.sqlite")) == []  # planning makes no ledger
    texts = ["Yes", "No, it is not.", "Yes"]
    judge = study(base=one_run).config.judges["paid"]
    expected = sum(len(judge_prompt(judge.prompt, "Is it?", text, "racism", judge.options)) for text in texts) / 4
    assert found.tokens[0].value == pytest.approx(expected)
    assert found.tokens[0].mark == "~"
    assert found.tokens[1] == Amount(3 * 4, "≤")
    live, batch = found.price(batch=False), found.price(batch=True)
    assert live.value == pytest.approx((expected * 2.5 + 12 * 10) / 1e6)
    assert batch.value == pytest.approx(live.value / 2)


def test_a_manifest_tells_the_checkpoints(one_run):
    Path("results/miniature/runs/mini/alpaca/generations.parquet").unlink()
    Path("results/miniature/runs/mini/alpaca/manifest.json").write_text(json.dumps(manifest("mini/alpaca", [3, 6, 7])))
    assert use("judge paid", base=one_run).calls == Amount(1 + 3 * 1 * 2, "≤")


LEDGER = Path("results/miniature/runs/mini/alpaca/stances/paid.ledger.sqlite")


def judged(base, overlay, *texts):
    """Let the judge `paid` answer about these responses, into the ledger of the run."""
    with ChatServerDouble(lambda _: Planned("A", usage=(500, 3), likeliest=[{"A": -0.5}])) as server:
        made = study(overlay, {"chats": {"big": {"base_url": server.base_url, "spending_cap": 9}}}, base=base)
        job = JudgeJob(run="mini/alpaca", name="paid", seed=0, judge=made.config.judges["paid"], chat=made.chat("big"))
        make_judge(job, LEDGER)([Item("Is it?", text, "racism") for text in texts])


@pytest.mark.parametrize(
    ("judge", "each"), [({}, 1), ({"orders": "latin"}, 3), ({"reading": "sampling", "samples": 4, "orders": "all"}, 24)]
)
def test_a_plan_looks_up_the_very_questions_that_a_judge_asks(one_run, judge, each):
    overlay = {"judges": {"paid": judge}, "chats": {"big": {"temperature": 0.7}}}
    judged(one_run, overlay, "Yes", "No, it is not.")
    found = use("judge paid", overlay, base=one_run)
    assert (found.answered, found.left) == (Amount(2 * each), Amount(each))


def test_what_ledgers_hold_is_not_paid_again_and_tells_what_the_rest_takes(one_run):
    judged(one_run, {}, "Yes", "Never asked now")
    found = use("judge paid", base=one_run)
    assert (found.taken, found.answered) == ((1, 500, 3), Amount(1))
    assert found.left == Amount(2)
    assert found.tokens == (Amount(1000, "~"), Amount(6, "~"))
    for change in (
        {"chats": {"big": {"max_tokens": 5}}},
        {"judges": {"paid": {"prompt": "{topic}: {prompt} {response} {options}"}}},
    ):
        assert use("judge paid", change, base=one_run).taken == (0, 0, 0)
    Path("results/miniature/runs/mini/alpaca/generations.parquet").unlink()
    assert use("judge paid", base=one_run).answered == Amount(2, "≤")
    assert use("judge paid", {"chats": {"big": {"model": "gpt-4o-mini"}}}, base=one_run).answered == Amount(0)


def test_a_ledger_in_use_or_that_is_none_is_named_and_left_as_it_is(one_run):
    with Ledger(LEDGER) as book:
        book.put({"a": {"text": "A", "usage": [400, 2]}})
        found = lines(uses(work(base=one_run)))
    assert f"{LEDGER} is in use or cannot be read: its answers are not counted" in found
    LEDGER.write_text("notes " * 100)
    assert any(line.startswith(f"{LEDGER} is in use or cannot be read") for line in lines(uses(work(base=one_run))))
    assert LEDGER.read_text().startswith("notes")


def test_the_sum_says_whether_the_cap_is_enough(one_run):
    def sums():
        return next(line for line in lines(uses(work(base=one_run))) if line.startswith("big: "))

    assert "at the prices of 2026-11-01; it is called live. $0.00 are spent of the cap $0.02, which is enough" in sums()
    folder = Path("results/miniature/spending")
    folder.mkdir()
    (folder / "other.json").write_text(json.dumps({"chat": "big", "dollars": 0.019}))
    assert "$0.019 are spent of the cap $0.02, which may stop it before the end" in sums()
    (folder / "other.json").write_text(json.dumps({"chat": "big", "dollars": 0.001, "under_way": 0.019}))
    assert "$0.001 are spent, what is under way may cost $0.019 of the cap $0.02, which may stop it before the end" in sums()


def test_curation_by_a_chat_model_is_counted_once_its_texts_are_there():
    asking = {"prompts": {"chat": "big", "rephrase": "llm", "naming": "llm", "filter": "llm"}}
    before = {found.name: str(found.calls) for found in uses(work(PRICED, asking)) if found.name.startswith("prompts")}
    assert before == {"prompts: rephrase": "?", "prompts: naming": "?", "prompts: filter": "?"}
    from valuedrift.io.tables import NGRAMS, QUESTIONS, RAW_PROMPTS, VALUE_LADEN

    folder = Path("results/miniature/prompts")
    texts = ["One", "Two", "Two"]
    RAW_PROMPTS.write(
        RAW_PROMPTS.frame([{"source_id": str(i), "source_text": t} for i, t in enumerate(texts)]), folder / "raw.parquet"
    )
    rows = [{"source_id": str(i), "source_text": t, "question": f"{t}?"} for i, t in enumerate(texts)]
    QUESTIONS.write(QUESTIONS.frame(rows), folder / "questions.parquet")
    NGRAMS.write(
        NGRAMS.frame([{"cluster": c, "rank": r, "ngram": "n", "weight": 1.0} for c in (0, 1, 2) for r in (1, 2)]),
        folder / "ngrams.parquet",
    )
    now = {found.name: str(found.calls) for found in uses(work(PRICED, asking)) if found.name.startswith("prompts")}
    assert now == {"prompts: rephrase": "2", "prompts: naming": "3", "prompts: filter": "≤2"}
    kept = [{"source_id": "0", "category": "c", "keep": True, "reason": ""}]
    VALUE_LADEN.write(VALUE_LADEN.frame(kept), folder / "value_laden.parquet")
    assert str(use("prompts: filter", PRICED, asking).calls) == "1"


def test_the_command_prints_tables_and_warns_of_a_model_that_leaves(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    overlay = tmp_path / "overlay.yaml"
    day = date.today() + timedelta(days=9)
    overlay.write_text(yaml.safe_dump(merge(PRICED, {"study": "planned-only", "chats": {"big": {"shutdown": day}}})))
    run(config=[ROOT / "config" / "miniature.yaml", overlay])
    printed = capsys.readouterr()
    found = printed.out.splitlines()
    assert found[0] == "core minutes by run:" and any(line.startswith("critical path") for line in found)
    heading, *rows = found[next(i for i, line in enumerate(found) if line.startswith("asked for")) :]
    assert heading.split()[:3] == ["asked", "for", "model"]
    assert any(row.startswith("judge paid") and "≤$" in row for row in rows)
    assert f"warning: gpt-4o is shut down on {day} (in 9 days)" in printed.err
    assert not Path("results/planned-only").exists()
    with pytest.raises(UserError, match="--gpus 4"):
        run(config=[ROOT / "config" / "miniature.yaml"], gpus=4)
