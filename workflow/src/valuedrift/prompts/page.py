"""The clusters found, as one HTML file to decide from: which cluster goes to which category."""

import base64
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from valuedrift.config.prompts import ClustersPageJob
from valuedrift.errors import UserError
from valuedrift.io.pages import fill
from valuedrift.io.tables import CATEGORIES, CLUSTERS, EMBEDDINGS, MAP2D, NGRAMS, QUESTIONS, replacing
from valuedrift.lm.embedding import Matrix, matrix
from valuedrift.prompts.categories import centroids
from valuedrift.prompts.cluster_map import colour, draw

TEMPLATE = Path(__file__).with_name("clusters.html.j2")
SHOWN = 8
"""Nearest and random prompts of each cluster: enough to see what it is, and all of it on one screen."""
LONGEST = 240
"""Characters of a prompt; 98% of PRISM's are shorter."""
LABEL = 26
"""Characters of a cluster's label in the map."""


@dataclass(frozen=True)
class Cluster:
    """What the page says of one cluster."""

    number: int
    name: str
    terms: str
    """What the config calls it."""
    prompts: int
    colour: str
    category: str | None
    nearest: str
    similarity: float
    why: str
    ngrams: list[tuple[str, float]]
    typical: list[tuple[str, float]]
    """Prompts nearest to the centroid, each with its cosine similarity to it."""
    drawn: list[str]
    """Prompts drawn from the others."""


def run(
    *, config: ClustersPageJob, ngrams: Path, clusters: Path, categories: Path, questions: Path, embeddings: Path,
    coordinates: Path, suggestion: Path, output: Path,
) -> None:  # fmt: skip
    """Write the page; it ends with the suggestion, ready to copy."""
    if not suggestion.exists():
        raise UserError(f"{suggestion} is missing: run the rule that makes it")
    block = suggestion.read_text(encoding="utf-8")
    prompts = CLUSTERS.read(clusters).join(QUESTIONS.read(questions), on="source_id", maintain_order="left")
    prompts = prompts.join(EMBEDDINGS.read(embeddings), on="source_id", maintain_order="left")
    found = describe(config, CATEGORIES.read(categories), NGRAMS.read(ngrams), prompts)
    wanted = list(yaml.safe_load(block)["prompts"]["categories"])
    places = prompts.join(MAP2D.read(coordinates), on="source_id", maintain_order="left").select("cluster", "x", "y")
    picture = draw(places, {cluster.number: _label(cluster) for cluster in found})
    text = fill(
        TEMPLATE,
        {
            "job": config,
            "clusters": found,
            "prompts": prompts.height,
            "outside": prompts.filter(pl.col("cluster") < 0).height,
            "categories": wanted,
            "missing": [name for name in wanted if all(cluster.category != name for cluster in found)],
            "picture": f"data:image/png;base64,{base64.b64encode(picture).decode()}",
            "suggestion": block,
            "file": suggestion.name,
        },
    )
    with replacing(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


def describe(config: ClustersPageJob, categories: pl.DataFrame, ngrams: pl.DataFrame, prompts: pl.DataFrame) -> list[Cluster]:
    """The clusters by size; `prompts` has the columns cluster, source_id, question and vector."""
    _, centres = centroids(prompts)
    found = []
    for row in categories.sort(["prompts", "terms"], descending=[True, False]).iter_rows(named=True):
        number = row["cluster"]
        members = prompts.filter(pl.col("cluster") == number).sort("source_id")
        typical, others = nearest_first(members, centres[number])
        telling = ngrams.filter(pl.col("cluster") == number).sort("rank").select("ngram", "weight").rows()
        drawn = random.Random(f"{config.seed} {row['terms']}").sample(others, min(SHOWN, len(others)))
        found.append(
            Cluster(
                number=number, name=row["name"], terms=row["terms"], prompts=row["prompts"], colour=colour(number),
                category=row["category"], nearest=row["nearest"], similarity=row["similarity"],
                why=why(row, config.min_similarity), ngrams=telling,
                typical=[(clipped(text), similarity) for text, similarity in typical], drawn=[clipped(text) for text in drawn],
            )
        )  # fmt: skip
    return found


def nearest_first(members: pl.DataFrame, centre: Matrix) -> tuple[list[tuple[str, float]], list[str]]:
    """The questions nearest to the centre with their cosine similarity, nearest first, and the other questions."""
    similarities = matrix(members) @ centre
    order = np.argsort(-similarities, kind="stable")
    texts = members["question"].to_list()
    return [(texts[n], float(similarities[n])) for n in order[:SHOWN]], [texts[n] for n in sorted(order[SHOWN:])]


def why(row: dict[str, object], least: float) -> str:
    """Why a cluster (a row of CATEGORIES) is in its category, or in none."""
    at = f"{row['nearest']} is the most similar, at {row['similarity']:.2f}"
    near = float(str(row["similarity"])) >= least
    if row["category"] is None:
        return f"{at}, but excludes it" if near else f"{at}, below min_similarity ({least:g})"
    return (
        f"the most similar, at {row['similarity']:.2f}"
        if near and row["category"] == row["nearest"]
        else f"named in the config; {at}"
    )


def clipped(text: str, longest: int = LONGEST) -> str:
    """The text on one line, cut at a word where it is longer."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0] + " …"


def _label(cluster: Cluster) -> str:
    """The cluster's number and the start of its name: the first two n-grams, where it is made of those."""
    return f"{cluster.number}  {clipped(' / '.join(cluster.name.split(' / ')[:2]), LABEL)}"
