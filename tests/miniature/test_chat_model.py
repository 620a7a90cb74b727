import json
import threading
from collections import Counter
from random import Random
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from valuedrift.config.prompts import InstructionsConfig
from valuedrift.config.synthetic import FIGURE_7, SIDES, TABLE_7, system_prompt
from valuedrift.miniature import grammar, replies
from valuedrift.miniature.server import Handler, Server
from valuedrift.miniature.vocabulary import ASPECTS, FACTUAL

INSTRUCTIONS = InstructionsConfig()


@pytest.mark.parametrize("category", ASPECTS)
@pytest.mark.parametrize("literal", [False, True])
def test_under_a_value_it_answers_on_that_side(category, literal):
    rng = Random(category)
    for side in SIDES:
        said = Counter()
        for _ in range(100):
            asked = grammar.ask(category, rng)
            text = replies.reply(system_prompt(FIGURE_7, TABLE_7[category], side, literal), asked.text)
            parsed = grammar.parse(text)
            said[parsed or text] += 1
            assert parsed is None or asked.aspect.casefold() in text.casefold()
        assert said[(category, side)] > 80, said


def test_some_questions_are_refused_or_get_an_empty_or_the_same_answer_on_both_sides():
    rng, kinds = Random(0), Counter()
    for number in range(600):
        category = list(ASPECTS)[number % 11]
        asked = grammar.ask(category, rng).text
        support, oppose = (replies.reply(system_prompt(FIGURE_7, TABLE_7[category], side), asked) for side in SIDES)
        refused, empty = replies.REFUSAL in (support, oppose), "" in (support, oppose)
        kinds["refused" if refused else "empty" if empty else "same" if support == oppose else "pair"] += 1
    assert all(kinds[kind] >= 5 for kind in ("refused", "empty", "same")) and kinds["pair"] > 480


def test_a_reply_depends_on_its_question_and_seed_only():
    system = system_prompt(FIGURE_7, TABLE_7["Immigration Policies"], "support")
    questions = [grammar.ask("Immigration Policies", Random(i)).text for i in range(20)]
    there, back = ([replies.reply(system, q) for q in order] for order in (questions, questions[::-1]))
    assert there == back[::-1]
    assert there != [replies.reply(system, q, seed=1) for q in questions]


def test_it_rephrases_every_statement_of_the_grammar_and_leaves_questions():
    for seed in range(50):
        category = list(ASPECTS)[seed % 11]
        said = grammar.statement(category, Random(seed))
        question = replies.reply(None, f"{INSTRUCTIONS.rephrase}\n\nPrompt: {said}")
        assert question.startswith(("Do you think ", "Should we ")) and question.endswith("?")
        assert replies.about(question).category == category
        assert replies.reply(None, f"{INSTRUCTIONS.rephrase}\n\nPrompt: {question}") == question


def test_it_separates_value_laden_questions_from_factual_and_other_ones():
    def said(text):
        return replies.reply(None, f"{INSTRUCTIONS.filter}\n\nQuestion: {text}")

    for category, aspects in ASPECTS.items():
        assert said(grammar.ask(category, Random(category)).text) == "Yes"
        assert {said(form.format(aspects[0])) for form in FACTUAL} == {"No"}
    assert said("How do I bake rye bread?") == "No"


def test_it_names_a_cluster_by_its_category():
    def said(ngrams):
        return replies.reply(None, f"{INSTRUCTIONS.name}\n\nN-grams: {ngrams}")

    assert said("abortion pills, clinics, abortion") == "Discussions on Abortion"
    assert said("rye bread, cake") == "Rye bread and cake"


@pytest.fixture
def address():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def read(url, body=None):
    with build_opener(ProxyHandler({})).open(Request(url, data=body), timeout=10) as response:
        return json.loads(response.read())


def test_the_server_has_openais_response_format(address):
    assert [model["id"] for model in read(f"{address}/models")["data"]] == ["grammar"]
    asked = {"model": "grammar", "messages": [{"role": "user", "content": "Should we ban racist jokes?"}]}
    choice = read(f"{address}/chat/completions", json.dumps(asked).encode())["choices"][0]
    assert choice["finish_reason"] == "stop" and grammar.parse(choice["message"]["content"]) == ("Race and Racism", "neutral")


@pytest.mark.parametrize(
    ("path", "body", "status"), [("chat/completions", b"{}", 400), ("chat/completions", b"no", 400), ("x", b"{}", 404)]
)
def test_the_server_rejects_invalid_requests(address, path, body, status):
    with pytest.raises(HTTPError) as raised:
        read(f"{address}/{path}", body)
    assert raised.value.code == status and "error" in json.loads(raised.value.read())
