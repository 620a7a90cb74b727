"""Some responses in all orders of the options."""

from itertools import permutations
from math import log

import polars as pl

from chat_double import ChatServerDouble, Planned
from valuedrift.config.base import STANCES
from valuedrift.config.chat import ChatJob
from valuedrift.config.judge import JudgeConfig, OrderCheckJob
from valuedrift.io.tables import GENERATIONS, ORDERS, PROMPTS
from valuedrift.judge.order_check import drawn, ends, run

CHILDREN = ["m/sft", "m/sft/dpo"]


def responses(run, steps, prompts=4, text="{run} {step} {prompt} {sample}"):
    """GENERATIONS of two samples of each prompt at each step."""
    rows = [
        {"run": run, "step": step, "prompt_id": f"p{p}", "sample": n, "response": text.format(run=run, step=step, prompt=p, sample=n),
         "n_tokens": 3, "finish_reason": "stop", "seed": 0}
        for step in steps for p in range(prompts) for n in (0, 1)
    ]  # fmt: skip
    return GENERATIONS.frame(rows)


def test_both_ends_of_a_run_without_a_parent_and_the_last_checkpoint_of_a_child_are_drawn_from():
    def steps(run):
        return sorted(set(ends(responses(run, [0, 3, 7]), CHILDREN)["step"]))

    assert steps("m/pretraining") == [0, 7] and steps("m/sft") == [7]
    assert ends(responses("m/sft", [0, 7], text=" \n"), CHILDREN).is_empty()


def test_the_draw_is_spread_over_the_checkpoints_and_a_further_run_displaces_few():
    base, sft, dpo = (responses(run, [9], prompts=20) for run in ("m/base", *CHILDREN))
    two = drawn(pl.concat([base, sft]), 12, seed=1)
    assert two["run"].value_counts()["count"].to_list() == [6, 6]
    three = drawn(pl.concat([dpo, two]), 12, seed=1)
    assert three["run"].value_counts()["count"].to_list() == [4, 4, 4]
    assert three.equals(drawn(pl.concat([base, sft, dpo]), 12, seed=1))  # run by run is the same as all at once
    assert three.join(two, on=["run", "prompt_id", "sample"], how="semi").height == 8
    assert not drawn(pl.concat([base, sft]), 12, seed=2).equals(two)


def test_a_service_is_asked_once_in_every_order_and_the_letters_become_stances(tmp_path):
    """This judge likes A, whatever it stands for, and has nothing to say on the response with `vague`."""
    prompts = [
        {"prompt_id": f"p{n}", "category": "c", "topic": "t", "question": f"q{n}?", "source_text": "q", "source_id": f"{n}"}
        for n in range(4)
    ]
    PROMPTS.write(PROMPTS.frame(prompts), tmp_path / "p.parquet")
    sampled = responses("m/base", [0]).with_columns(pl.when(sample=1).then(pl.lit("vague")).otherwise("response").alias("response"))
    GENERATIONS.write(sampled, tmp_path / "g.parquet")

    def answer(question):
        shares = (0.02, 0.01, 0.01) if "vague" in question else (0.7, 0.2, 0.1)
        return Planned("A", likeliest=[dict(zip("ABC", map(log, shares), strict=True))])

    with ChatServerDouble(answer) as server:
        chat = ChatJob(name="talk", spending=str(tmp_path / "spending"), model="m", base_url=server.base_url, max_tokens=3)
        judge = JudgeConfig(backend="openai", chat="talk", order_check=8, min_mass=0.5)
        job = OrderCheckJob(name="j", seed=0, judge=judge, chat=chat, children=[])
        for name in ("first", "again"):
            run(config=job, generations=[tmp_path / "g.parquet"], prompts=tmp_path / "p.parquet", output=tmp_path / "o.parquet")
            (tmp_path / "o.parquet").rename(tmp_path / name)
    assert len(server.asked) == 8 * 6 and (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()
    found = ORDERS.read(tmp_path / "first")
    assert found["order"].n_unique() == 6 and found.height == 8 * 6
    for order in permutations(STANCES):
        rows = found.filter(order=" ".join(order), sample=0)
        assert rows.height == 4 and rows.select(pl.col(order).round(9)).unique().rows() == [(0.7, 0.2, 0.1)]
    vague = found.filter(sample=1)
    assert set(vague["status"]) == {"unscorable: mass 0.04 on the options"} and vague["support"].null_count() == 24
