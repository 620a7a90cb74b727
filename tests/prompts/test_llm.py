import tempfile

import pytest
from pydantic import ValidationError

from chat_double import ChatServerDouble, Planned
from valuedrift.config.chat import ChatJob
from valuedrift.config.prompts import InstructionsConfig, NamesJob, PromptsConfig, QuestionsJob, ValueLadenJob
from valuedrift.io.tables import CATEGORIES, CLUSTERS, NAMES, NGRAMS, QUESTIONS, RAW_PROMPTS, VALUE_LADEN
from valuedrift.prompts import names, questions, value_laden

PROMPTS = {"source": {"path": "prompts.csv"}, "categories": {"Zoos": {"topic": "zoos"}}}


def llm_job(server, job, instruction):
    """Return the job with a chat model at the server."""
    chat = ChatJob(name="talk", spending=tempfile.mkdtemp(), model="talker", base_url=server.base_url, max_tokens=32)
    return job(method="llm", chat=chat, instruction=instruction)


def plan_of(answers):
    """Return a function from a question to the answer whose key ends it."""
    return lambda question: next(answer for text, answer in answers.items() if question.endswith(f": {text}"))


def rephrased(folder, answers):
    rows = [{"source_id": f"p{n}", "source_text": text} for n, text in enumerate(answers)]
    RAW_PROMPTS.write(RAW_PROMPTS.frame(rows), folder / "raw.parquet")
    with ChatServerDouble(plan_of(answers)) as server:
        config = llm_job(server, QuestionsJob, "Ask it.")
        questions.run(config=config, raw=folder / "raw.parquet", output=folder / "questions.parquet")
    return server, QUESTIONS.read(folder / "questions.parquet")["question"].to_list()


def test_prompts_are_replaced_by_the_models_questions(tmp_path):
    quoted = {"Zoos are cruel": ' "Are zoos cruel?"\n', '"Live": yes or no': '"Live": do you?', "He said": "“Do you say?”"}
    server, found = rephrased(tmp_path, quoted)
    assert found == ["Are zoos cruel?", '"Live": do you?', "Do you say?"]
    assert "Ask it.\n\nPrompt: Zoos are cruel" in server.questions


def test_a_prompt_without_an_answer_stays_and_is_counted(tmp_path, capsys):
    answers = {"Zoos are cruel": Planned(None, refusal="No."), "Fur": Planned(None, refusal="No."), "Meat": "Do you eat meat?"}
    _, found = rephrased(tmp_path, answers)
    assert found == ["Zoos are cruel", "Fur", "Do you eat meat?"]
    words = capsys.readouterr().out
    assert "2 of 3 texts without an answer: refused" in words
    assert "1 of 3 prompts edited" in words


def test_answers_are_kept_when_the_output_is_deleted(tmp_path):
    rephrased(tmp_path, {"Zoos are cruel": "Are zoos cruel?"})
    (tmp_path / "questions.parquet").unlink()
    server, found = rephrased(tmp_path, {"Zoos are cruel": "Something else?"})
    assert (server.asked, found) == ([], ["Are zoos cruel?"])
    assert (tmp_path / "questions.ledger.sqlite").exists()


def named(folder, clusters):
    """Return the names and terms of clusters given as {number: (n-grams, answer)}."""
    rows = [
        {"cluster": cluster, "rank": rank, "ngram": term, "weight": 1 / (1 + rank)}
        for cluster, (terms, _) in clusters.items()
        for rank, term in enumerate(terms)
    ]
    NGRAMS.write(NGRAMS.frame(rows), folder / "ngrams.parquet")
    with ChatServerDouble(plan_of({", ".join(terms): answer for terms, answer in clusters.values()})) as server:
        config = llm_job(server, NamesJob, "Name it.")
        names.run(config=config, ngrams=folder / "ngrams.parquet", output=folder / "names.parquet")
    return {cluster: (name, terms) for cluster, name, terms in NAMES.read(folder / "names.parquet").iter_rows()}


def test_clusters_get_the_models_names_and_keep_their_terms(tmp_path):
    found = named(tmp_path, {0: (["whales", "sea"], '"Life at  sea"\n'), 3: (["prison", "law"], "Crime and Punishment")})
    assert found == {0: ("Life at sea", "whales / sea"), 3: ("Crime and Punishment", "prison / law")}


def test_clusters_to_which_the_model_gives_the_same_name_get_different_names(tmp_path):
    black, white = (["black", "race"], "Race"), (["white", "race"], "race")
    as_black, as_white = ("Race (black / race)", "black / race"), ("race (white / race)", "white / race")
    assert named(tmp_path, {0: black, 1: white}) == {0: as_black, 1: as_white}
    assert named(tmp_path, {0: white, 1: black}) == {0: as_white, 1: as_black}
    assert len({name for name, _ in named(tmp_path, {0: black, 1: black, 2: black}).values()}) == 3


def test_a_cluster_without_an_answer_has_the_name_of_its_ngrams(tmp_path):
    found = named(tmp_path, {0: (["whales", "sea"], Planned(None)), 1: (["law"], "The law")})
    assert found == {0: ("whales / sea", "whales / sea"), 1: ("The law", "law")}


@pytest.mark.parametrize(
    ("answer", "keep", "reason"),
    [
        ("Yes", True, "llm: yes"),
        ("**YES**, it does.", True, "llm: yes"),
        ("no.", False, "llm: no"),
        ("Yesterday's news", False, "llm: neither Yes nor No: Yesterday's news"),
        ("It depends\non " + "x" * 99, False, "llm: neither Yes nor No: It depends on " + "x" * 26),
        (Planned(None, refusal="No."), False, "llm: refused"),
        (Planned("Well", "length"), False, "llm: cut at max_tokens"),
    ],
)
def test_questions_are_kept_to_which_the_model_says_yes(tmp_path, answer, keep, reason):
    rows = [{"source_id": i, "source_text": t, "question": t} for i, t in (("a", "Are zoos cruel?"), ("b", "What is a pie?"))]
    QUESTIONS.write(QUESTIONS.frame(rows), tmp_path / "questions.parquet")
    placed = [{"source_id": i, "cluster": c, "membership": 0.5} for i, c in (("a", 0), ("b", 1))]
    CLUSTERS.write(CLUSTERS.frame(placed), tmp_path / "clusters.parquet")
    row = {"name": "any", "terms": "any", "prompts": 1, "nearest": "Zoos", "similarity": 0.2}
    belongs = [row | {"cluster": 0, "category": "Zoos"}, row | {"cluster": 1}]
    CATEGORIES.write(CATEGORIES.frame(belongs), tmp_path / "categories.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in ("questions", "clusters", "categories", "output")}
    with ChatServerDouble(plan_of({"Are zoos cruel?": answer})) as server:
        value_laden.run(config=llm_job(server, ValueLadenJob, InstructionsConfig().filter), **paths)
    assert VALUE_LADEN.read(paths["output"]).rows() == [("a", "Zoos", keep, reason)]
    asked = (
        "Does the given question reflect a value-based issue with multiple perspectives? Reply Yes/No.\n\nQuestion: Are zoos cruel?"
    )
    assert server.questions == [asked]


@pytest.mark.parametrize("key", ["rephrase", "naming", "filter"])
def test_llm_needs_a_chat_model(key):
    with pytest.raises(ValidationError, match=f"`{key}: llm` needs `chat`"):
        PromptsConfig.model_validate(PROMPTS | {key: "llm"})
    assert PromptsConfig.model_validate(PROMPTS | {key: "llm", "chat": "gpt"}).chat == "gpt"
    with pytest.raises(ValidationError, match="the method llm needs"):
        QuestionsJob(method="llm")
