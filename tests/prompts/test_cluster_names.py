import random

from valuedrift.config.prompts import NamesJob, NgramConfig
from valuedrift.io.tables import CLUSTERS, NAMES, NGRAMS, QUESTIONS
from valuedrift.prompts import names
from valuedrift.prompts import ngrams as ngrams_step
from valuedrift.prompts.ngrams import ngrams

TEXTS = {
    "Do you think whales should be protected?": 0, "Are whales and dolphins clever?": 0, "Is the blue whale big?": 0,
    "Should the death penalty return?": 1, "Is the death penalty just?": 1, "Does the death penalty deter crime?": 1,
}  # fmt: skip


def top(rows, cluster):
    return [row["ngram"] for row in rows if row["cluster"] == cluster]


def named(**clusters):
    """Return the names of clusters c0, c1, ..., given as lists of n-grams, best first."""
    rows = [
        {"cluster": int(key[1:]), "rank": rank, "ngram": term, "weight": 1 / (1 + rank)}
        for key, terms in clusters.items()
        for rank, term in enumerate(terms)
    ]
    return names.names(NGRAMS.frame(rows))


def test_top_ngrams_distinguish_the_clusters():
    rows = ngrams(list(TEXTS), list(TEXTS.values()), NgramConfig(longest=2, top=3))
    assert top(rows, 0)[0] == "whales"
    assert set(top(rows, 1)) == {"death", "penalty", "death penalty"}
    assert [row["rank"] for row in rows] == [0, 1, 2] * 2
    weights = [row["weight"] for row in rows if row["cluster"] == 0]
    assert weights == sorted(weights, reverse=True)


def test_words_of_asking_and_longer_ngrams_are_left_out():
    rows = ngrams(list(TEXTS), list(TEXTS.values()), NgramConfig(longest=1, top=100))
    words = {row["ngram"] for row in rows}
    assert "penalty" in words
    assert not words & {"think", "do", "should", "the", "death penalty"}


def test_a_word_that_occurs_in_every_cluster_weighs_less():
    texts, clusters = ["law whale", "law whale", "law prison", "law prison"], [0, 0, 1, 1]
    rows = ngrams(texts, clusters, NgramConfig(longest=1))
    assert top(rows, 0) == ["whale", "law"]
    assert top(rows, 1) == ["prison", "law"]


def test_the_order_of_questions_does_not_matter():
    pairs = list(TEXTS.items())
    random.Random(0).shuffle(pairs)
    texts, clusters = zip(*pairs, strict=True)
    assert ngrams(list(texts), list(clusters), NgramConfig()) == ngrams(list(TEXTS), list(TEXTS.values()), NgramConfig())


def test_a_cluster_of_stop_words_still_has_ngrams():
    rows = ngrams(["What is this?", "Whales", "???"], [0, 1, 2], NgramConfig(longest=1, top=2))
    assert set(top(rows, 0)) <= {"what", "is", "this"}
    assert len(top(rows, 0)) == 2
    assert top(rows, 2) == ["no words"]
    assert top(ngrams(["???"], [0], NgramConfig()), 0) == ["no words"]


def test_the_steps_leave_out_prompts_without_a_cluster(tmp_path):
    paths = {name: tmp_path / f"{name}.parquet" for name in ("questions", "clusters")}
    rows = [("a", "Save whales", 0), ("b", "Save trains", -1), ("c", "Death penalty", 1)]
    QUESTIONS.write(QUESTIONS.frame([{"source_id": i, "source_text": t, "question": t} for i, t, _ in rows]), paths["questions"])
    CLUSTERS.write(CLUSTERS.frame([{"source_id": i, "cluster": c, "membership": 0.5} for i, _, c in rows]), paths["clusters"])
    ngrams_step.run(config=NgramConfig(), output=tmp_path / "ngrams.parquet", **paths)
    assert "trains" not in NGRAMS.read(tmp_path / "ngrams.parquet")["ngram"]
    names.run(config=NamesJob(method="ngrams"), ngrams=tmp_path / "ngrams.parquet", output=tmp_path / "names.parquet")
    assert NAMES.read(tmp_path / "names.parquet").rows() == [
        (n, name, name) for n, name in enumerate(("save / whales", "death / penalty"))
    ]


def test_no_clusters_give_no_ngrams_and_no_names():
    assert ngrams([], [], NgramConfig()) == []
    assert names.names(NGRAMS.frame([])) == {}


def test_a_name_has_three_ngrams_that_do_not_contain_each_other():
    found = named(c0=["abortion", "legal abortion", "abortions", "clinic", "legal", "law"], c1=["death penalty", "penalty"])
    assert found == {0: "abortion / clinic / legal", 1: "death penalty"}


def test_names_are_unique_and_do_not_depend_on_the_clusters_numbers():
    alike, longer = ["war", "peace", "army", "tank"], ["war", "peace", "army", "treaty"]
    assert named(c0=alike, c1=longer) == {0: "war / peace / army / tank", 1: "war / peace / army / treaty"}
    assert named(c1=alike, c0=longer) == {1: "war / peace / army / tank", 0: "war / peace / army / treaty"}


def test_renumbering_the_clusters_does_not_change_their_names():
    texts, clusters = list(TEXTS) * 2, [*TEXTS.values(), *(number + 2 for number in TEXTS.values())]
    texts[-1] = "Is the death penalty a deterrent to murder?"

    def members_of_names(numbers):
        frame = NGRAMS.frame(ngrams(texts, numbers, NgramConfig()))
        return {
            name: [text for text, n in zip(texts, numbers, strict=True) if n == number]
            for number, name in names.names(frame).items()
        }

    order = [3, 0, 2, 1]
    found = members_of_names(clusters)
    assert len(found) == 4
    assert members_of_names([order[number] for number in clusters]) == found


def test_clusters_with_the_same_ngrams_are_numbered_by_weight():
    def with_weights(first, second):
        rows = [
            {"cluster": number, "rank": rank, "ngram": term, "weight": weight / (1 + rank)}
            for number, weight in enumerate((first, second))
            for rank, term in enumerate(["war", "peace"])
        ]
        return names.names(NGRAMS.frame(rows))

    assert with_weights(2.0, 1.0) == {0: "war / peace", 1: "war / peace (2)"}
    assert with_weights(1.0, 2.0) == {0: "war / peace (2)", 1: "war / peace"}
    assert sorted(with_weights(1.0, 1.0).values()) == ["war / peace", "war / peace (2)"]
