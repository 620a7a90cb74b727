from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overtaken import assert_overtaken_changes_nothing
from valuedrift.config.prompts import QuestionsJob
from valuedrift.io.tables import QUESTIONS, RAW_PROMPTS
from valuedrift.prompts import questions
from valuedrift.prompts.english import has_question_mark, proper_names, sentences, tidy
from valuedrift.prompts.rephrase import rephrase

OPINIONS = {
    "I think that abortion should be completely legal and free under any circumstances":
        "Do you think abortion should be completely legal and free under any circumstances?",
    "i believe taxes are too high.": "Do you think taxes are too high?",
    "I don't think cars should be allowed in the city": "Do you think cars should be allowed in the city?",
    "I do not believe in miracles": "Do you believe in miracles?",
    "In my opinion, zoos are cruel": "Do you think zoos are cruel?",
    "I feel like dogs make bad pets": "Do you think dogs make bad pets?",
    "I'm not sure that voting matters at all": "Do you think voting matters at all?",
    "It seems to me that schools are underfunded": "Do you think schools are underfunded?",
    "I wonder if fasting is healthy": "Do you think fasting is healthy?",
    "I don’t agree with private prisons": "Do you agree with private prisons?",
    "I strongly support a ban on hunting": "Do you support a ban on hunting?",
    "I am against the draft": "Are you against the draft?",
    "I hate electric scooters": "What do you think about electric scooters?",
    "As a nurse, I think shifts are too long": "Do you think shifts are too long?",
    "Hi! So I think sugar should be taxed": "Do you think sugar should be taxed?",
}  # fmt: skip
STATEMENTS = {
    "Rich people should pay more tax.": "Do you think rich people should pay more tax?",
    "It is wrong to eat meat": "Do you think it is wrong to eat meat?",
    "There are too many cameras in town": "Do you think there are too many cameras in town?",
    "Zoos are cruel.": "Do you think zoos are cruel?",
    "NATO is outdated": "Do you think NATO is outdated?",
    "Jane Goodall is a hero": "Do you think Jane Goodall is a hero?",
}
REQUESTS = {
    "Tell me about volcanoes": "What can you tell me about volcanoes?",
    "please talk to me about jazz.": "What can you tell me about jazz?",
    "Let's talk about gun control": "What can you tell me about gun control?",
    "I would like to know what you think about cloning": "What do you think about cloning?",
    "your opinion on cloning": "What is your opinion on cloning?",
    "Thoughts on cloning": "What are your thoughts on cloning?",
    "Tell me the pros and cons of nuclear power": "What are the pros and cons of nuclear power?",
    "I was wondering what is the tallest tree": "What is the tallest tree?",
    "Tell me why the sky is blue": "Can you tell me why the sky is blue?",
    "Explain how a mill works": "Can you explain how a mill works?",
    "Please write a poem": "Can you write a poem?",
    "I want you to list five rivers": "Can you list five rivers?",
}
QUESTIONS_ALREADY = {
    "is  honesty always best ": "Is honesty always best?",
    "What is love ??": "What is love?",
    "Why vote ? It changes nothing.": "Why vote? It changes nothing.",
    "Hello, how do solar panels work": "How do solar panels work?",
    "I think fur should be banned. What do you think?": "I think fur should be banned. What do you think?",
    "I am new here, what should people see": "I am new here, what should people see?",
    "Please could you name a river": "Could you name a river?",
}
LEFT = [
    "Hello", "Good evening!", "chess clubs", "I painted my fence", "My uncle moved to Peru.", "Do not shout.",
    "What a day", "Have a nice day", "I think so", "I need to buy milk", "I have a friend who is ill", "...", "", "see http://x.org/?a=1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "question"), (OPINIONS | STATEMENTS | REQUESTS | QUESTIONS_ALREADY).items())
def test_a_text_is_rephrased_as_this_question(text, question):
    assert rephrase(text) == question


@pytest.mark.parametrize("text", LEFT)
def test_a_text_without_a_rule_stays(text):
    assert rephrase(text) == text


@pytest.mark.parametrize("question", sorted({*OPINIONS.values(), *STATEMENTS.values(), *REQUESTS.values()}))
def test_a_rephrased_question_is_not_changed_again(question):
    assert rephrase(question) == question


def test_context_is_kept_and_the_argument_is_dropped():
    assert rephrase("Rents rose again. I think rents should be capped. Owners are greedy.") == (
        "Rents rose again. Do you think rents should be capped?"
    )
    assert rephrase("Write a song. Make it sad.") == "Can you write a song? Make it sad."


WORDS = ["i", "think", "believe", "feel", "that", "we", "should", "tell me", "about", "what", "is", "your", "opinion", "on",
         "hello", "the", "death penalty", "wrong", "?", ".", ",", "!", "’", "U.S.", "it's", "not"]  # fmt: skip


# Without limits on time: they measure how busy the machine is.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join)))
def test_every_text_becomes_a_question_or_stays(text):
    result = rephrase(text)
    assert result == tidy(text) or has_question_mark(result)
    if result != tidy(text) and "?" not in text and len(sentences(tidy(text))) == 1:
        assert result.endswith("?")


def test_names_keep_their_capital():
    texts = ["I voted for Merkel once", "we met Merkel", "some Taxes", "two taxes", "three taxes"]
    names = proper_names(texts)
    assert names == {"Merkel"}
    assert rephrase("Merkel was right about taxes", names) == "Do you think Merkel was right about taxes?"
    assert rephrase("Taxes are theft", names) == "Do you think taxes are theft?"


def test_sentences_are_not_cut_at_initials():
    assert sentences("Is the U.S. rich? Mr. Smith says no. Dr. No too!") == [
        "Is the U.S. rich?",
        "Mr. Smith says no.",
        "Dr. No too!",
    ]


def test_a_job_on_a_lost_node_does_not_replace_the_questions_of_a_later_one(tmp_path, monkeypatch):
    RAW_PROMPTS.write(RAW_PROMPTS.frame([{"source_id": "a", "source_text": "Zoos are cruel"}]), tmp_path / "raw.parquet")
    paths = {"raw": tmp_path / "raw.parquet", "output": tmp_path / "questions.parquet"}
    step = partial(questions.run, config=QuestionsJob(method="rules"), **paths)
    assert_overtaken_changes_nothing(monkeypatch, questions, "_questions", step, paths["output"])


@pytest.mark.parametrize(("method", "question"), [("rules", "Do you think zoos are cruel?"), ("none", "Zoos are cruel")])
def test_the_step_rephrases_by_its_method(tmp_path, method, question):
    RAW_PROMPTS.write(RAW_PROMPTS.frame([{"source_id": "a", "source_text": "Zoos are cruel"}]), tmp_path / "raw.parquet")
    questions.run(config=QuestionsJob(method=method), raw=tmp_path / "raw.parquet", output=tmp_path / "questions.parquet")
    assert QUESTIONS.read(tmp_path / "questions.parquet").rows() == [("a", "Zoos are cruel", question)]
