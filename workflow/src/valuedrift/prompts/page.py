"""Writes the clusters as one HTML file, from which a person decides which cluster belongs to which category."""

import base64
import random
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from valuedrift.config.prompts import ClustersPageJob
from valuedrift.errors import UserError
from valuedrift.io.files import command_for, replacing
from valuedrift.io.pages import fill
from valuedrift.io.tables import CATEGORIES, CLUSTERS, EMBEDDINGS, MAP2D, NGRAMS, QUESTIONS
from valuedrift.lm.embedding import Matrix, matrix
from valuedrift.prompts.categories import centroids
from valuedrift.prompts.cluster_map import cluster_colour, draw_map

TEMPLATE = Path(__file__).with_name("clusters.html.j2")
PROMPTS_SHOWN = 8
"""Number of nearest, and of random, prompts shown per cluster: enough to see what it is about, and all on one screen."""
PROMPT_LENGTH = 240
"""Longest prompt shown, in characters; 98% of PRISM's are shorter."""
LABEL_LENGTH = 26
"""Longest name in a label on the map, in characters."""


@dataclass(frozen=True)
class Cluster:
    """What the page shows of one cluster."""

    number: int
    name: str
    terms: str
    """The n-grams by which the config refers to it."""
    prompts: int
    colour: str
    category: str | None
    nearest: str
    similarity: float
    reason: str
    ngrams: list[tuple[str, float]]
    typical: list[tuple[str, float]]
    """The prompts nearest to the centroid, each with its cosine similarity to it."""
    drawn: list[str]
    """Prompts drawn at random from the others."""


def run(
    *, config: ClustersPageJob, ngrams: Path, clusters: Path, categories: Path, questions: Path, embeddings: Path,
    coordinates: Path, suggestion: Path, output: Path,
) -> None:  # fmt: skip
    """Write the page; it ends with the suggestion, ready to copy."""
    if not suggestion.exists():
        raise UserError(f"{suggestion} is missing. Make it with `{command_for(suggestion)}`")
    block = suggestion.read_text(encoding="utf-8")
    prompts = CLUSTERS.read(clusters).join(QUESTIONS.read(questions), on="source_id", maintain_order="left")
    prompts = prompts.join(EMBEDDINGS.read(embeddings), on="source_id", maintain_order="left")
    found = describe_clusters(config, CATEGORIES.read(categories), NGRAMS.read(ngrams), prompts)
    wanted = list(yaml.safe_load(block)["prompts"]["categories"])
    points = prompts.join(MAP2D.read(coordinates), on="source_id", maintain_order="left").select("cluster", "x", "y")
    picture = draw_map(points, {cluster.number: _label(cluster) for cluster in found})
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
            "prompt_length": PROMPT_LENGTH,
        },
    )
    with replacing(output) as scratch:
        scratch.write_text(text, encoding="utf-8")


def describe_clusters(
    config: ClustersPageJob, categories: pl.DataFrame, ngrams: pl.DataFrame, prompts: pl.DataFrame
) -> list[Cluster]:
    """Return the clusters by size; `prompts` has the columns cluster, source_id, question and vector."""
    _, centres = centroids(prompts)
    found = []
    for row in categories.sort(["prompts", "terms"], descending=[True, False]).iter_rows(named=True):
        number = row["cluster"]
        members = prompts.filter(pl.col("cluster") == number).sort("source_id")
        typical, others = split_by_nearness(members, centres[number])
        top_ngrams = ngrams.filter(pl.col("cluster") == number).sort("rank").select("ngram", "weight").rows()
        drawn = random.Random(f"{config.seed} {row['terms']}").sample(others, min(PROMPTS_SHOWN, len(others)))
        found.append(
            Cluster(
                number=number, name=row["name"], terms=row["terms"], prompts=row["prompts"], colour=cluster_colour(number),
                category=row["category"], nearest=row["nearest"], similarity=row["similarity"],
                reason=explain_category(row, config.min_similarity), ngrams=top_ngrams,
                typical=typical, drawn=drawn,
            )
        )  # fmt: skip
    return found


def split_by_nearness(members: pl.DataFrame, centre: Matrix) -> tuple[list[tuple[str, float]], list[str]]:
    """Return the questions nearest to the centre with their cosine similarity, nearest first, and the other questions."""
    similarities = matrix(members) @ centre
    order = np.argsort(-similarities, kind="stable")
    texts = members["question"].to_list()
    return [(texts[n], float(similarities[n])) for n in order[:PROMPTS_SHOWN]], [texts[n] for n in sorted(order[PROMPTS_SHOWN:])]


def explain_category(row: dict[str, object], least: float) -> str:
    """Return the reason why a cluster (a row of CATEGORIES) is in its category, or in none."""
    at = f"{row['nearest']} is the most similar, at {row['similarity']:.2f}"
    near = float(str(row["similarity"])) >= least
    if row["category"] is None:
        return f"{at}, but excludes it" if near else f"{at}, below min_similarity ({least:g})"
    return (
        f"the most similar, at {row['similarity']:.2f}"
        if near and row["category"] == row["nearest"]
        else f"named in the config; {at}"
    )


def _label(cluster: Cluster) -> str:
    """Return the cluster's number and its name, shortened; of a name made of n-grams, the first two."""
    name = " / ".join(cluster.name.split(" / ")[:2])
    return f"{cluster.number}  {textwrap.shorten(name, LABEL_LENGTH, placeholder=' …')}"
