"""The whole stage by its commands, with the real encoder, the real client and the miniature's server, and its steps on small tables."""

import json
import sys
import tempfile
from functools import partial
from random import Random

import polars as pl
import pytest

from overtaken import assert_overtaken_changes_nothing
from valuedrift.cli import dispatch
from valuedrift.config.chat import ChatJob
from valuedrift.config.data import DatasetJob
from valuedrift.config.synthetic import FIGURE_7, SIDES, TABLE_7, AnswersJob, CandidatesJob, RetrievalJob, system_prompt
from valuedrift.data import preferences
from valuedrift.errors import UserError
from valuedrift.io.tables import ANSWERS, CANDIDATES, PREFERENCE_SET, SYNTHETIC_PAIRS
from valuedrift.miniature import grammar
from valuedrift.miniature.vocabulary import TOPICS
from valuedrift.synthetic import answers, candidates, pairs, retrieve

SERVER = [sys.executable, "-m", "valuedrift.miniature", "server", "--port", "{port}"]
CHAT = ChatJob(name="grammar", spending=tempfile.mkdtemp(), model="grammar", server=SERVER, max_tokens=64)
PROMPTS = {name: {side: system_prompt(FIGURE_7, texts, side) for side in SIDES} for name, texts in TABLE_7.items()}
JOBS = {
    "candidates": CandidatesJob(
        sources=["first", "second"],
        embedding={},
        texts={name: f"{name}: {topic}." for name, topic in TOPICS.items()},
        longest_prompt=80,
    ),
    "retrieve": RetrievalJob(threshold=0.25, cap=9),
    "answers": AnswersJob(chat=CHAT, prompts=PROMPTS),
}
HELP = dict.fromkeys(["candidates", "retrieve", "answers", "pairs"], "")


def turn(role, content):
    return {"role": role, "content": content}


def write_set(path, prompts):
    """Write a PREFERENCE_SET of dialogues, each given as its questions."""
    rows = []
    for number, questions in enumerate(prompts):
        turns = [turn("user", questions[0])]
        for question in questions[1:]:
            turns += [turn("assistant", "I see."), turn("user", question)]
        rows.append({"row": number, "split": "train", "prompt": turns, "chosen": "a", "rejected": "b"})
    PREFERENCE_SET.write(pl.DataFrame(rows, schema=PREFERENCE_SET.columns), path)
    return path


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Run the whole stage over two preference sets and return its folder."""
    folder, rng = tmp_path_factory.mktemp("synthetic"), Random(0)
    questions = [grammar.ask(category, rng).text for category in TOPICS for _ in range(14)]
    first = write_set(folder / "first.parquet", [[q] for q in questions[::2]])
    other = [["How do I bake rye bread?"], ["x" * 81], [questions[0].upper() + " "], ["Why do cats purr?", questions[2]]]
    second = write_set(folder / "second.parquet", [*([q, "And why?"] for q in questions[1::2]), *other])
    by_step = {
        "candidates": ["--sets", first, second, "--counts", folder / "candidates.json"],
        "retrieve": ["--candidates", folder / "candidates.parquet", "--counts", folder / "retrieve.json"],
        "answers": ["--retrieved", folder / "retrieve.parquet"],
        "pairs": ["--answers", folder / "answers.parquet", "--counts", folder / "pairs.json"],
    }
    for step, arguments in by_step.items():
        config = ["--config", JOBS[step].canonical()] if step in JOBS else []
        dispatch("valuedrift.synthetic", HELP, [step, *config, *map(str, arguments), "--output", str(folder / f"{step}.parquet")])
    return folder


def test_a_dialogue_is_searched_once_by_its_first_question(stage):
    found = CANDIDATES.read(stage / "candidates.parquet")
    counts = json.loads((stage / "candidates.json").read_text())
    assert counts["second"]["longer than 80 characters"] == 1 and counts["second"]["repeated"] >= 1
    assert counts["first"]["kept"] + counts["second"]["kept"] == found.height == found["prompt"].n_unique()
    assert "Why do cats purr?" in found["prompt"] and "And why?" not in found["prompt"]


def test_only_prompts_on_a_category_are_retrieved_and_no_more_than_the_cap(stage):
    kept = CANDIDATES.read(stage / "retrieve.parquet")
    assert not {"How do I bake rye bread?", "Why do cats purr?"} & set(kept["prompt"])
    assert kept["similarity"].min() >= 0.25
    assert kept["category"].value_counts()["count"].max() == 9
    counts = json.loads((stage / "retrieve.json").read_text())
    assert {name: count["kept"] for name, count in counts.items() if count["kept"]} == dict(kept["category"].value_counts().rows())


def test_every_pair_takes_both_sides_on_its_prompt(stage):
    found = SYNTHETIC_PAIRS.read(stage / "pairs.parquet")
    for row in found.iter_rows(named=True):
        assert [grammar.parse(row[side])[1] for side in ("support", "oppose")] == ["support", "oppose"]


def test_what_was_dropped_is_counted_by_category_and_reason(stage):
    counts = json.loads((stage / "pairs.json").read_text())
    asked, found = ANSWERS.read(stage / "answers.parquet"), SYNTHETIC_PAIRS.read(stage / "pairs.parquet")
    assert counts["all"]["asked"] == asked.height and counts["all"]["kept"] == found.height < asked.height
    for name, count in counts.items():
        assert count["asked"] == sum(n for reason, n in count.items() if reason != "asked"), name
    for reason in counts["all"]:
        assert counts["all"][reason] == sum(count.get(reason, 0) for name, count in counts.items() if name != "all")


def test_the_pairs_are_a_synthetic_dataset(stage, tmp_path):
    job = DatasetJob(format="synthetic", path=str(stage / "pairs.parquet"), seed=0)
    preferences.run(config=job, output=tmp_path / "set.parquet", counts=tmp_path / "set.json")
    read, found = PREFERENCE_SET.read(tmp_path / "set.parquet"), SYNTHETIC_PAIRS.read(stage / "pairs.parquet")
    assert {(p[0]["content"], s, o) for p, s, o in read.select("prompt", "support", "oppose").iter_rows()} == set(
        found.select("prompt", "support", "oppose").rows()
    )


def test_a_second_run_asks_nothing_and_writes_the_same_bytes(stage):
    before = (stage / "answers.parquet").read_bytes()
    silent = CHAT.model_copy(update={"server": ["no-such-command", "{port}"]})
    answers.run(
        config=AnswersJob(chat=silent, prompts=PROMPTS), retrieved=stage / "retrieve.parquet", output=stage / "answers.parquet"
    )
    assert (stage / "answers.parquet").read_bytes() == before


def some_candidates(path, rows):
    """Write CANDIDATES from rows (prompt, category, similarity)."""
    table = [
        {"source": "s", "row": number, "prompt": prompt, "category": category, "similarity": similarity}
        for number, (prompt, category, similarity) in enumerate(rows)
    ]
    CANDIDATES.write(CANDIDATES.frame(table), path)
    return path


def test_a_job_on_a_lost_node_does_not_replace_the_answers_of_a_later_one(tmp_path, monkeypatch):
    row = {"source": "s", "row": 0, "prompt": "Why?", "category": next(iter(PROMPTS)), "similarity": 0.5}
    CANDIDATES.write(CANDIDATES.frame([row]), tmp_path / "retrieved.parquet")
    paths = {"retrieved": tmp_path / "retrieved.parquet", "output": tmp_path / "answers.parquet"}
    step = partial(answers.run, config=JOBS["answers"], **paths)
    assert_overtaken_changes_nothing(monkeypatch, answers, "ask", step, paths["output"])


def test_the_cap_keeps_the_most_similar_whatever_the_order(tmp_path):
    rows = [("a", "X", 0.5), ("b", "X", 0.9), ("c", "X", 0.7), ("d", "Y", 0.4), ("e", "Y", 0.39), ("f", "X", 0.7)]
    tables = []
    for name, order in (("there", rows), ("back", rows[::-1])):
        path = some_candidates(tmp_path / f"{name}.parquet", order)
        config = RetrievalJob(threshold=0.4, cap=2)
        retrieve.run(config=config, candidates=path, output=tmp_path / f"{name}.kept.parquet", counts=tmp_path / f"{name}.json")
        tables.append(CANDIDATES.read(tmp_path / f"{name}.kept.parquet")["prompt"].to_list())
    assert tables == [["b", "c", "d"]] * 2
    counts = json.loads((tmp_path / "there.json").read_text())
    assert counts == {"X": {"nearest": 4, "similar enough": 4, "kept": 2}, "Y": {"nearest": 2, "similar enough": 1, "kept": 1}}


def test_a_threshold_that_nothing_passes_is_an_error(tmp_path):
    path = some_candidates(tmp_path / "candidates.parquet", [("a", "X", 0.31)])
    with pytest.raises(UserError, match=r"none of 1 prompts .* the highest is 0\.31: lower"):
        retrieve.run(config=RetrievalJob(threshold=0.4, cap=2), candidates=path, output=tmp_path / "o", counts=tmp_path / "c")


def test_sets_without_a_usable_prompt_give_no_candidates(tmp_path):
    path = write_set(tmp_path / "first.parquet", [["x" * 81]])
    job = JOBS["candidates"].model_copy(update={"sources": ["first"]})
    candidates.run(config=job, sets=[path], output=tmp_path / "o.parquet", counts=tmp_path / "c.json")
    assert CANDIDATES.read(tmp_path / "o.parquet").height == 0


def test_answers_without_a_usable_pair_are_an_error(tmp_path):
    row = {"source": "s", "row": 0, "prompt": "p", "category": "X", "support": "a", "oppose": "a"}
    ANSWERS.write(ANSWERS.frame([row]), tmp_path / "answers.parquet")
    with pytest.raises(UserError, match=r"none of 1 pairs can be used: identical answers \(1\)"):
        pairs.run(answers=tmp_path / "answers.parquet", output=tmp_path / "o.parquet", counts=tmp_path / "c.json")
