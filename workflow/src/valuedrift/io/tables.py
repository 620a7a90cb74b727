"""The tables that cross from one stage to the next: their columns, types, units and ranges."""

from itertools import permutations

import polars as pl

from valuedrift.io.columns import (
    BANDS,
    CLUSTER,
    CONTRAST,
    COORDINATE,
    COSINE,
    COUNT,
    DIFFERENCE,
    DIFFERS,
    DISTRIBUTION,
    INDEX,
    INTERVAL,
    MASS,
    NUMBER,
    POSITIVE,
    PROBABILITY,
    ROW,
    SCORED,
    SHARE,
    SPLIT,
    STANCE,
    STANCE_NAMES,
    STEP,
    TIMED,
    VERDICT,
    Column,
)
from valuedrift.io.table import declared

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
VECTOR = pl.List(pl.Float32)

# --- prompts: from raw to evaluation prompts ---
RAW_PROMPTS = declared("raw prompts", "source_id", source_id=pl.String, source_text=pl.String)
QUESTIONS = declared("questions", "source_id", source_id=pl.String, source_text=pl.String, question=pl.String)
EMBEDDINGS = declared("embeddings", "source_id", source_id=pl.String, vector=VECTOR)  # unit length
REDUCED = declared("reduced embeddings", "source_id", source_id=pl.String, vector=VECTOR)
MAP2D = declared("map", "source_id", source_id=pl.String, x=COORDINATE, y=COORDINATE)  # coordinates in a plot, without a unit
# cluster: -1 where the prompt is in none; membership: HDBSCAN's soft membership in [0, 1] of the cluster given.
CLUSTERS = declared("clusters", "source_id", source_id=pl.String, cluster=CLUSTER, membership=PROBABILITY)
NGRAMS = declared("n-grams", "cluster rank", cluster=CLUSTER, rank=INDEX, ngram=pl.String, weight=POSITIVE)  # TF-IDF weight
# name: what people read, perhaps a chat model's; terms: made of the n-grams by rule, what a config calls the cluster.
NAMES = declared("cluster names", "cluster", cluster=CLUSTER, name=pl.String, terms=pl.String)
CATEGORY_EMBEDDINGS = declared("category embeddings", "category", category=pl.String, vector=VECTOR)
# One row a cluster: the most similar category and its cosine similarity; category is null where the cluster belongs to none.
CATEGORIES = declared(
    "cluster categories", "cluster", "category", cluster=CLUSTER, name=pl.String, terms=pl.String, prompts=COUNT,
    nearest=pl.String, similarity=COSINE, category=pl.String,
)  # fmt: skip
VALUE_LADEN = declared(
    "value-laden questions", "source_id", source_id=pl.String, category=pl.String, keep=pl.Boolean, reason=pl.String
)
PROMPTS = declared(
    "prompts", "prompt_id", prompt_id=pl.String, category=pl.String, topic=pl.String, question=pl.String, source_text=pl.String,
    source_id=pl.String,
)  # fmt: skip
# Prompts that each step of curation kept, in the steps' order; category is "all" except in the last steps.
CURATION = declared("curation counts", "step category", step=pl.String, category=pl.String, prompts=COUNT)

# --- data: split is train or validation ---
SFT_SET = declared("SFT set", "row", row=ROW, split=SPLIT, messages=MESSAGES)
PREFERENCE_SET = declared(
    "preference set", "row", "chosen rejected support oppose neutral", row=ROW, split=SPLIT, prompt=MESSAGES,
    chosen=pl.String, rejected=pl.String, support=pl.String, oppose=pl.String, neutral=pl.String,
)  # fmt: skip

# --- synthetic: similarity is the cosine between a prompt and its nearest category; an answer has a text or, where there is
# none, the problem ---
CANDIDATES = declared(
    "retrieval candidates", "source row", source=pl.String, row=ROW, prompt=pl.String, category=pl.String,
    similarity=COSINE,
)  # fmt: skip
ANSWERS = declared(
    "answers", "source row", "support support_problem oppose oppose_problem", source=pl.String, row=ROW, prompt=pl.String,
    category=pl.String, support=pl.String, support_problem=pl.String, oppose=pl.String, oppose_problem=pl.String,
)  # fmt: skip
SYNTHETIC_PAIRS = declared("synthetic pairs", "prompt", prompt=pl.String, category=pl.String, support=pl.String, oppose=pl.String)

# --- train: metric is loss, learning_rate, reward, kl, response_length, ...; step in optimizer steps of the run ---
TRAINING_LOG = declared("training log", "run step metric", run=pl.String, step=STEP, metric=pl.String, value=pl.Float64)

# --- generate: n_tokens without the end token; finish_reason is stop or length ---
GENERATIONS = declared(
    "generations", "run step prompt_id sample", run=pl.String, step=STEP, prompt_id=pl.String, sample=INDEX,
    response=pl.String, n_tokens=INDEX, finish_reason=Column(pl.String, words=("stop", "length")), seed=ROW,
)  # fmt: skip

# --- judge: probabilities, which sum to 1. mass: probability on the three options before normalising. bound: what the options that
# the judge's server did not return may have of it at most, 0 where it returned all. flips: share of the orders of the options
# whose answer is not that of the average; null where they were asked in one order. truncated: the response was cut at its longest
# length (null in tables of older versions).
# status: ok; refused: <reason>; malformed: <reason> (degenerate text, scored or not); unscorable: <reason> (numbers are null) ---
STANCES = declared(
    "stances", "run step prompt_id sample judge", "support neutral oppose mass bound flips truncated", DISTRIBUTION | SCORED,
    run=pl.String, step=STEP, prompt_id=pl.String, category=pl.String, sample=INDEX, judge=pl.String,
    support=PROBABILITY, neutral=PROBABILITY,
    oppose=PROBABILITY, mass=MASS, bound=MASS, flips=SHARE, truncated=pl.Boolean, status=pl.String,
)  # fmt: skip
# One response asked in one order of the options, by a judge that is otherwise asked in the first: `order` names the stances of A, B
# and C. status: ok; unscorable: <reason> (numbers are null) ---
ORDERS = declared(
    "orders", "run step prompt_id sample judge order", "support neutral oppose mass", DISTRIBUTION | SCORED,
    run=pl.String, step=STEP, prompt_id=pl.String, category=pl.String, sample=INDEX, judge=pl.String,
    order=Column(pl.String, words=tuple(map(" ".join, permutations(STANCE_NAMES)))),
    support=PROBABILITY, neutral=PROBABILITY, oppose=PROBABILITY, mass=MASS, status=pl.String,
)  # fmt: skip
# A response that people label: `id` reveals neither run nor judge; people do not see the judge's probabilities.
LABEL_SAMPLE = declared(
    "label sample", "id", "", DISTRIBUTION,
    id=pl.String, run=pl.String, step=STEP, prompt_id=pl.String, sample=INDEX, category=pl.String,
    question=pl.String, response=pl.String, topic=pl.String, support=PROBABILITY, neutral=PROBABILITY, oppose=PROBABILITY,
)  # fmt: skip

# --- drift: mean, low, high are probabilities; prompts is the number of prompts averaged; unscorable, malformed, refused
# and truncated (null where it is not known) are shares of the responses; mass, bound and flips are means over them. Means are null
# where nothing could be scored, intervals also where there is one prompt. low and high hold one value; band_low and band_high all
# values of a category's trajectory at once ---
VALUES = declared(
    "values", "run step judge category stance", "mean low high band_low band_high truncated mass bound flips", BANDS,
    run=pl.String, step=STEP, judge=pl.String,
    category=pl.String, stance=STANCE, mean=PROBABILITY, low=NUMBER, high=NUMBER, band_low=PROBABILITY, band_high=PROBABILITY,
    prompts=COUNT, unscorable=SHARE, malformed=SHARE, refused=SHARE, truncated=SHARE, mass=MASS, bound=MASS, flips=SHARE,
)  # fmt: skip
# magnitude is a difference of probabilities, over those `prompts` of the `asked` that were scored at both ends, under each of
# `seeds` (1 where none are pooled); p: against no drift; q: p corrected for all cells of a judge; p_preserved: against a drift of
# the margin or more. q and verdict are null in the tables of single runs.
# time is a fraction of total_steps, and so is when half and 90% of the change up to the extremum were reached, with the limits of
# their confidence sets; extremum is a probability.
DRIFT = declared(
    "drift", "run judge category stance",
    "magnitude magnitude_low magnitude_high p p_preserved q verdict time extremum extremum_step"
    " half half_low half_high ninety ninety_low ninety_high", TIMED,
    run=pl.String, judge=pl.String, category=pl.String, stance=STANCE, magnitude=DIFFERENCE, magnitude_low=NUMBER,
    magnitude_high=NUMBER, prompts=COUNT, asked=COUNT, seeds=COUNT, p=PROBABILITY, p_preserved=PROBABILITY, q=PROBABILITY,
    verdict=VERDICT, time=SHARE, extremum=PROBABILITY, extremum_step=STEP, total_steps=COUNT,
    half=SHARE, half_low=SHARE, half_high=SHARE, ninety=SHARE, ninety_low=SHARE, ninety_high=SHARE,
)  # fmt: skip
# Second less first sampling of the same checkpoint, of which each is there once; columns as in DRIFT; magnitude is the run's drift.
NOISE = declared(
    "noise", "run step category stance", "difference low high p p_preserved q verdict magnitude", INTERVAL,
    run=pl.String, step=STEP, category=pl.String, stance=STANCE, difference=DIFFERENCE, low=NUMBER, high=NUMBER, prompts=COUNT,
    p=PROBABILITY, p_preserved=PROBABILITY, q=PROBABILITY, verdict=VERDICT, magnitude=DIFFERENCE,
)  # fmt: skip
# One contrast: `pair` is its heading; first and second are values or drift magnitudes, means over the `prompts` that both have and
# over the `seeds`; difference is second less first; q is p corrected for all cells of the contrast, p_equivalent is against a
# difference of the margin or more.
CONTRASTS = declared(
    "contrast", "pair category stance", "first second difference low high p p_equivalent q verdict", INTERVAL,
    pair=pl.String, category=pl.String, stance=STANCE, first=DIFFERENCE, second=DIFFERENCE, difference=CONTRAST, low=NUMBER,
    high=NUMBER, prompts=COUNT, seeds=COUNT, p=PROBABILITY, p_equivalent=PROBABILITY, q=PROBABILITY, verdict=DIFFERS,
)  # fmt: skip

# --- downstream: value and stderr as lm-eval gives them, shares of n questions for accuracies; shots are the examples shown ---
DOWNSTREAM = declared(
    "downstream scores", "run task", "stderr", run=pl.String, task=pl.String, metric=pl.String, shots=INDEX, value=pl.Float64,
    stderr=POSITIVE, n=COUNT,
)  # fmt: skip
# One question's score by the same metric, 1 or 0 for accuracies: part is lm-eval's name of the task, of which a group has several,
# question its number there. No rows of a metric that is not the mean of its questions' scores, such as a perplexity.
DOWNSTREAM_QUESTIONS = declared(
    "questions of a benchmark", "run task part question", run=pl.String, task=pl.String, part=pl.String, question=ROW, score=NUMBER
)
