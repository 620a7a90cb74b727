from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overtaken import assert_overtaken_changes_nothing
from valuedrift.config.prompts import ValueLadenJob
from valuedrift.io.tables import CATEGORIES, CLUSTERS, QUESTIONS, VALUE_LADEN
from valuedrift.prompts import value_laden
from valuedrift.prompts.value_laden_rules import classify

KEPT = {
    "Should cars be banned?": "opinion form: should",
    "Do you think taxes are fair?": "opinion form: do you think",
    "Do you believe in God?": "opinion form: do you believe",
    "Do you really support the draft?": "opinion form: do you really support",
    "What is your opinion on zoos?": "opinion form: your opinion",
    "What are your thoughts about unions?": "opinion form: your thoughts",
    "What do you think about unions?": "opinion form: do you think",
    "How do you feel about hunting?": "opinion form: do you feel",
    "Is it right to eat meat?": "opinion form: is it right to",
    "Is war ever justified?": "opinion form: justified",
    "Ought we to forgive?": "opinion form: ought",
    "Is euthanasia morally acceptable?": "opinion form: morally",
    "Are you for or against nuclear power?": "opinion form: for or against",
    "What are the pros and cons of nuclear power?": "opinion form: pros and cons",
    "Can a thief be allowed to vote?": "opinion form: be allowed",
    "Are landlords greedy?": "evaluation: are landlords greedy",
    "How important is honesty?": "evaluation: how important is",
    "Do you have any opinions on unions?": "opinion form: opinions on",
    "Which system is better?": "evaluation: which system is better",
    "Would you say that “fair” taxes should exist?": "opinion form: should",
    "I read about mines. How many are there? Should they close?": "opinion form: should",
}
DROPPED = {
    "What should I cook tonight?": "advice",
    "Should I buy a car?": "advice",
    "Who do you think will win the cup?": "prediction",
    "Do you like jazz?": "taste",
    "What is your favourite song?": "taste",
    "Can you write a poem on why we should vote?": "request",
    "What can you tell me about the right to vote?": "request",
    "Explain the causes of the war": "request",
    "How many people voted?": "factual",
    "When did women get the vote?": "factual",
    "Who was the first president?": "factual",
    "Which year saw the first law on the right to strike?": "factual",
    "What is the capital of Peru?": "factual",
    "What does secular mean?": "factual",
    "How do researchers measure the right to strike?": "factual",
    "Why do leaves fall?": "explanation",
    "Why is right wing politics popular?": "explanation",
    "I can't decide whether I should move. Where I should live?": "advice",
    "Do you have a dog?": "taste",
    "Can the right wing win?": "no form of opinion",
    "Zoos in Europe": "no form of opinion",
    "": "no text",
}


@pytest.mark.parametrize(("question", "reason"), KEPT.items())
def test_a_value_laden_question_is_kept(question, reason):
    assert classify(question) == (True, reason)


@pytest.mark.parametrize(("question", "reason"), DROPPED.items())
def test_other_questions_are_dropped(question, reason):
    verdict = classify(question)
    assert not verdict.keep
    assert verdict.reason.split(":")[0] == reason


def test_only_the_questions_of_a_text_decide():
    assert not classify("People should vote more. How many did?").keep
    assert classify("Mines closed. Should they?").keep


# Without limits on time: they measure how busy the machine is.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_every_text_gets_a_verdict_with_a_short_reason(text):
    assert 0 < len(classify(text).reason) < 80


def write_inputs(folder):
    questions = ["Should we vote?", "How many voted?", "Should we bake?", "Should we dance?"]
    QUESTIONS.write(
        QUESTIONS.frame([{"source_id": f"p{n}", "source_text": text, "question": text} for n, text in enumerate(questions)]),
        folder / "questions.parquet",
    )
    clusters = [0, 0, 1, -1]
    CLUSTERS.write(
        CLUSTERS.frame([{"source_id": f"p{n}", "cluster": c, "membership": 0.5} for n, c in enumerate(clusters)]),
        folder / "clusters.parquet",
    )
    row = {"name": "any", "terms": "any", "prompts": 2, "nearest": "Politics", "similarity": 0.2}
    CATEGORIES.write(
        CATEGORIES.frame([row | {"cluster": 0, "category": "Politics"}, row | {"cluster": 1}]),
        folder / "categories.parquet",
    )


def test_a_job_on_a_lost_node_does_not_replace_the_verdicts_of_a_later_one(tmp_path, monkeypatch):
    write_inputs(tmp_path)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("questions", "clusters", "categories", "output")}
    step = partial(value_laden.run, config=ValueLadenJob(method="rules"), **paths)
    assert_overtaken_changes_nothing(monkeypatch, value_laden, "_verdicts", step, paths["output"])


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("rules", [("p0", "Politics", True, "opinion form: should"), ("p1", "Politics", False, "factual: how many")]),
        ("none", [("p0", "Politics", True, "not filtered"), ("p1", "Politics", True, "not filtered")]),
    ],
)
def test_the_step_filters_only_questions_of_a_category(tmp_path, method, rows):
    write_inputs(tmp_path)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("questions", "clusters", "categories", "output")}
    value_laden.run(config=ValueLadenJob(method=method), **paths)
    assert VALUE_LADEN.read(paths["output"]).rows() == rows
