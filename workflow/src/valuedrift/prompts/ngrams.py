"""Finds the word n-grams that distinguish each cluster from the others: TF-IDF over clusters instead of documents."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from valuedrift.config.prompts import NgramConfig
from valuedrift.io.tables import CLUSTERS, NGRAMS, QUESTIONS

ASKING_WORDS = frozenset(
    ["think", "believe", "opinion", "thoughts", "tell", "know", "feel", "want", "like", "need", "help", "hi", "hello", "hey",
     "thanks", "does", "did", "don", "doesn", "ve", "ll"]
)  # fmt: skip
"""Words of asking, which the rephrasing adds to questions on every subject."""
NO_WORDS = "no words"


def run(*, config: NgramConfig, questions: Path, clusters: Path, output: Path) -> None:
    """Write the top n-grams of each cluster, rank 0 first."""
    frame = QUESTIONS.read(questions).join(CLUSTERS.read(clusters), on="source_id", maintain_order="left")
    frame = frame.filter(pl.col("cluster") >= 0)
    rows = ngrams(frame["question"].to_list(), frame["cluster"].to_list(), config)
    NGRAMS.write(NGRAMS.frame(rows), output)


def ngrams(texts: list[str], clusters: list[int], config: NgramConfig) -> list[dict[str, object]]:
    """Return rows of NGRAMS, at least one per cluster; n-grams of equal weight in alphabetical order.

    A cluster whose texts consist of stop words is described by those, and one without any word by "no words".
    """
    if not texts:
        return []
    terms, weights = _weights(texts, clusters, config.longest, stop=True)
    plain: tuple[list[str], NDArray[np.float64]] | None = None
    rows: list[dict[str, object]] = []
    for index, number in enumerate(sorted(set(clusters))):
        found = _top(terms, weights[index], config.top)
        if not found:
            plain = plain or _weights(texts, clusters, config.longest, stop=False)
            found = _top(plain[0], plain[1][index], config.top) or [(NO_WORDS, 0.0)]
        rows += [{"cluster": number, "rank": rank, "ngram": term, "weight": weight} for rank, (term, weight) in enumerate(found)]
    return rows


def _weights(texts: list[str], clusters: list[int], longest: int, stop: bool) -> tuple[list[str], NDArray[np.float64]]:
    """Return the n-grams and their weights (clusters in order × n-grams).

    A weight is the n-gram's share of the cluster × log(1 + mean n-grams per cluster / the n-gram's total count): the class-based
    TF-IDF of Grootendorst (2022), BERTopic. N-grams do not cross from one question to the next.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

    words = sorted(ENGLISH_STOP_WORDS | ASKING_WORDS) if stop else None
    pattern = r"(?u)\b\w\w+\b" if stop else r"(?u)\w+"
    vectorizer = CountVectorizer(ngram_range=(1, longest), stop_words=words, token_pattern=pattern)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:  # "empty vocabulary": no text has any such word
        return [], np.zeros((len(set(clusters)), 0))
    members = np.asarray(clusters)
    totals = np.stack([np.asarray(counts[members == number].sum(axis=0)).ravel() for number in sorted(set(clusters))])
    share = totals / np.maximum(totals.sum(axis=1, keepdims=True), 1)
    rarity = np.log1p(totals.sum(axis=1).mean() / totals.sum(axis=0))
    return list(vectorizer.get_feature_names_out()), share * rarity


def _top(terms: list[str], weights: NDArray[np.float64], top: int) -> list[tuple[str, float]]:
    # Rounded, so that the ranks do not depend on the order of a sum.
    ranked = sorted((-round(float(weight), 12), term) for term, weight in zip(terms, weights, strict=True) if weight > 0)
    return [(term, -weight) for weight, term in ranked[:top]]
