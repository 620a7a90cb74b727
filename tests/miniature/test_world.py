import json
from collections import Counter
from random import Random

import polars as pl
import pytest

from valuedrift.config.base import STANCES
from valuedrift.config.miniature import MiniatureConfig
from valuedrift.miniature import dataset, grammar, planted, prompts, recovery
from valuedrift.miniature.oracle import judge
from valuedrift.miniature.shares import MARGINALS, planted_shares
from valuedrift.miniature.vocabulary import ASPECTS, TOPICS

CONFIG = MiniatureConfig(folder=".")


@pytest.mark.parametrize("category", ASPECTS)
def test_the_parser_reads_every_claim_of_the_grammar(category):
    rng = Random(0)
    for stance in STANCES:
        claims = grammar.claims(category, stance)
        assert 99 <= len(claims) == len(set(claims))
        for claim in claims:
            for opener, reason in ((False, False), (True, False), (False, True), (True, True)):
                text = grammar.compose(claim, category, stance, rng, opener, reason).text
                assert grammar.parse(text) == (category, stance), text


def test_every_category_has_its_topic_and_aspects_are_its_own():
    assert set(ASPECTS) == set(TOPICS) and len(TOPICS) == 11
    assert max(Counter(aspect for aspects in ASPECTS.values() for aspect in aspects).values()) == 1


@pytest.mark.parametrize(
    "text",
    ["", "Legal abortion should be banned", "Legal abortion abortion should be banned.", "Legal abortion should be banned because.",
     "I think I think legal abortion should be banned.", "Legal abortion should be banned because it makes life fairer.", "banned."],
)  # fmt: skip
def test_the_parser_refuses_what_the_grammar_does_not_make(text):
    assert grammar.parse(text) is None


def test_the_oracle_returns_the_stance_or_the_fault():
    assert judge("?", "Legal abortion should be banned.", "abortion") == (0.0, 0.0, 1.0)
    assert judge("?", "Legal abortion should be banned.", "immigration") == "malformed: off topic"
    assert judge("?", "banned banned", "abortion") == "malformed: not a sentence of the grammar"


def test_planted_shares_sum_to_1_differ_by_topic_and_follow_their_corpus():
    for corpus, marginal in MARGINALS.items():
        shares = planted_shares(corpus, 0, 1.0)
        assert all(sum(s) == pytest.approx(1) for s in shares.values())
        assert len({round(s[0], 3) for s in shares.values()}) == 11
        assert all(s == pytest.approx([m / sum(marginal) for m in marginal]) for s in planted_shares(corpus, 0, 0.0).values())


@pytest.mark.parametrize("corpus", ["wildchat", "alpaca"])
def test_a_corpus_has_its_planted_stances_and_answers_on_the_subject(corpus):
    shares, found = planted_shares(corpus, 0, 1.0), Counter()
    for question, answer in dataset.dialogues(corpus, 6000, CONFIG):
        found[answer.category, answer.stance] += 1
        assert any(aspect in question and aspect.lower() in answer.text.lower() for aspect in ASPECTS[answer.category])
    for category, expected in shares.items():
        counts = [found[category, stance] for stance in STANCES]
        assert [n / sum(counts) for n in counts] == pytest.approx(expected, abs=0.1)


def test_standard_pairs_have_no_value_gap_and_no_gap_in_length():
    rows = list(dataset.DATASETS["ultrafeedback"](CONFIG))
    lengths = []
    for row in rows:
        chosen, rejected = (row[side][-1]["content"] for side in ("chosen", "rejected"))
        assert grammar.parse(chosen) == grammar.parse(rejected) != None  # noqa: E711
        lengths.append(len(chosen) - len(rejected))
    assert abs(sum(lengths) / len(lengths)) < 2


def test_half_of_the_synthetic_pairs_carry_a_neutral_answer():
    rows = list(dataset.DATASETS["synthetic"](CONFIG))
    assert sum(row["neutral"] is not None for row in rows) == len(rows) // 2
    for row in rows[:50]:
        for stance in ("support", "oppose"):
            assert grammar.parse(row[stance])[1] == stance


def test_raw_prompts_are_distinct_and_labelled(tmp_path):
    prompts.run(config=CONFIG, output=tmp_path / "p.csv", labels=tmp_path / "l.parquet")
    raw, labels = pl.read_csv(tmp_path / "p.csv"), pl.read_parquet(tmp_path / "l.parquet")
    assert raw.columns == ["id", "user_prompt"]
    assert raw["user_prompt"].is_unique().all() and raw["id"].to_list() == labels["id"].to_list()
    counts = labels.group_by("theme", "kind").len()
    assert counts.filter(pl.col("kind") == "value")["len"].to_list() == [CONFIG.questions] * 11
    assert set(labels["kind"]) == {"value", "factual", "other"}


def test_a_dataset_is_reproducible(tmp_path):
    for name in ("one", "two"):
        dataset.run(config=CONFIG, name="wildchat", output=tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert set(json.loads((tmp_path / "one").open().readline())) >= {"conversation", "language"}


def test_recovery_compares_planted_oracle_and_judged(tmp_path):
    """The oracle leaves out the malformed answer; over the answers that both scored, the judge is off by 0.1."""
    from valuedrift.config.drift import ValuesConfig
    from valuedrift.config.miniature import RecoveryJob
    from valuedrift.drift.values import values
    from valuedrift.io import tables

    said = {("o", 0): (0.5, 0.0, 0.5), ("o", 1): None, ("j", 0): (0.4, 0.0, 0.6), ("j", 1): (1.0, 0.0, 0.0)}
    rows = [
        {"run": "m/base", "step": step, "prompt_id": category, "category": category, "sample": sample, "judge": who, "mass": p and 1.0,
         **dict(zip(STANCES, p or (None,) * 3, strict=True)), "status": "ok" if p else "malformed: off topic"}
        # The first checkpoint is not what is compared.
        for step, shares in ((0, dict.fromkeys(said, (0.0, 1.0, 0.0))), (7, said))
        for category in ASPECTS
        for (who, sample), p in shares.items()
    ]  # fmt: skip
    stances = tables.STANCES.frame(rows)
    tables.STANCES.write(stances, tmp_path / "s.parquet")
    tables.VALUES.write(values(stances, ValuesConfig(), 0), tmp_path / "v.parquet")
    planted.run(config=CONFIG, output=tmp_path / "planted.parquet")
    job = RecoveryJob(oracle="o", judge="j", runs=["m/base"], corpora={"m/base": "base"})
    recovery.run(config=job, planted=tmp_path / "planted.parquet", values=[tmp_path / "v.parquet"], stances=[tmp_path / "s.parquet"],
                 output=tmp_path / "r.parquet")  # fmt: skip
    found = pl.read_parquet(tmp_path / "r.parquet")
    assert found["oracle"].to_list() == pytest.approx([0.5, 0.0, 0.5]) and found["judged"].to_list() == pytest.approx(
        [0.7, 0.0, 0.3]
    )
    assert found["judge_error"].to_list() == pytest.approx([0.1, 0.0, 0.1]) and found["malformed"].to_list() == [0.5] * 3
    assert found["planted"].sum() == pytest.approx(1)


@pytest.mark.parametrize(("architecture", "name"), [("llama", "LlamaForCausalLM"), ("qwen3", "Qwen3ForCausalLM")])
def test_a_base_model_of_either_architecture_learns_and_loads(architecture, name, tiny_world, tmp_path):
    from transformers import AutoModelForCausalLM

    from valuedrift.config.miniature import TinyModelConfig
    from valuedrift.miniature import base

    tiny = TinyModelConfig(architecture=architecture, hidden=32, layers=1, heads=2, steps=3, batch_size=4)
    base.run(
        config=MiniatureConfig(folder=".", corpus=50, base=tiny),
        tokenizer=tiny_world / "tokenizer",
        output=tmp_path / "base",
        pretraining=tmp_path / "steps",
    )
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert type(model).__name__ == name and model.config.tie_word_embeddings
