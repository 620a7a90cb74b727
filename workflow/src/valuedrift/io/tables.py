"""The tables that cross from one stage to the next: columns, types and units; atomic writes and checked reads."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.datatypes import DataTypeClass

from valuedrift.errors import UserError

STANCE = pl.Enum(["support", "neutral", "oppose"])
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
VECTOR = pl.List(pl.Float32)


@dataclass(frozen=True)
class Table:
    """A declared table: its columns in order, which of them may be null, and the columns that identify a row."""

    name: str
    columns: dict[str, pl.DataType | DataTypeClass]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()

    def check(self, frame: pl.DataFrame, where: str) -> pl.DataFrame:
        """Return the frame with its columns in order; raises UserError where it is not this table."""
        if missing := [c for c in self.columns if c not in frame.columns]:
            raise UserError(f"{where} is not a {self.name} table: it lacks the columns {', '.join(missing)}")
        frame = frame.select(list(self.columns))
        wrong = [f"{c} is {frame.schema[c]}, not {t}" for c, t in self.columns.items() if frame.schema[c] != t]
        wrong += [f"{c} has nulls" for c in self.columns if c not in self.nullable and frame[c].null_count()]
        if frame.select(list(self.key)).is_duplicated().any():
            wrong.append(f"rows repeat a key ({', '.join(self.key)})")
        if wrong:
            raise UserError(f"{where} is not a {self.name} table: {'; '.join(wrong)}")
        return frame

    def write(self, frame: pl.DataFrame, path: Path, notes: dict[str, str] | None = None) -> None:
        """Check the frame and write it as Parquet, with `notes` in the file's metadata; the path holds all of it or nothing new."""
        frame = self.check(frame, str(path))
        with replacing(path) as scratch:
            frame.write_parquet(scratch, metadata=notes)

    def read(self, path: Path) -> pl.DataFrame:
        """Read and check a Parquet file.

        A column that may be null and that was added to the table after the file was written is null in every row. Raises UserError
        where another column is missing.
        """
        if not path.exists():
            raise UserError(f"{path} is missing. Make it with `{command_for(path)}`")
        frame = pl.read_parquet(path)
        lacking = [c for c in self.columns if c not in frame.columns]
        if missing := [c for c in lacking if c not in self.nullable]:
            raise UserError(
                f"{path} lacks the columns {', '.join(missing)} of a {self.name} table. If an older version wrote it, make it "
                f"again with `{command_for(path, again=True)}`"
            )
        return self.check(frame.with_columns(pl.lit(None, self.columns[c]).alias(c) for c in lacking), str(path))

    def frame(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """Return rows as a frame of this table's types, also where there are none."""
        return pl.DataFrame(rows, schema=self.columns)


def command_for(path: Path, again: bool = False) -> str:
    """Return the command that makes a file of a study, `again` also where it is there and up to date."""
    return f"snakemake {path}{' --force' if again else ''} --profile profiles/local --configfile <the study's config>"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path next to `path`, for a file or a folder, which replaces it if the block succeeds; else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.stem}.????????{path.suffix}"):  # by a job that was killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    scratch = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield scratch
        if scratch.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        scratch.replace(path)
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch)
        scratch.unlink(missing_ok=True)


def _table(name: str, key: str, nullable: str = "", /, **columns: pl.DataType | DataTypeClass) -> Table:
    return Table(name, columns, tuple(key.split()), frozenset(nullable.split()))


# --- prompts: from raw to evaluation prompts ---
RAW_PROMPTS = _table("raw prompts", "source_id", source_id=pl.String, source_text=pl.String)
QUESTIONS = _table("questions", "source_id", source_id=pl.String, source_text=pl.String, question=pl.String)
EMBEDDINGS = _table("embeddings", "source_id", source_id=pl.String, vector=VECTOR)  # unit length
REDUCED = _table("reduced embeddings", "source_id", source_id=pl.String, vector=VECTOR)
MAP2D = _table("map", "source_id", source_id=pl.String, x=pl.Float32, y=pl.Float32)  # coordinates in a plot, without a unit
# cluster: -1 where the prompt is in none; membership: HDBSCAN's soft membership in [0, 1] of the cluster given.
CLUSTERS = _table("clusters", "source_id", source_id=pl.String, cluster=pl.Int32, membership=pl.Float64)
NGRAMS = _table("n-grams", "cluster rank", cluster=pl.Int32, rank=pl.Int32, ngram=pl.String, weight=pl.Float64)  # TF-IDF weight
# name: what people read, perhaps a chat model's; terms: made of the n-grams by rule, what a config calls the cluster.
NAMES = _table("cluster names", "cluster", cluster=pl.Int32, name=pl.String, terms=pl.String)
CATEGORY_EMBEDDINGS = _table("category embeddings", "category", category=pl.String, vector=VECTOR)
# One row a cluster: the most similar category and its cosine similarity; category is null where the cluster belongs to none.
CATEGORIES = _table(
    "cluster categories", "cluster", "category", cluster=pl.Int32, name=pl.String, terms=pl.String, prompts=pl.Int64,
    nearest=pl.String, similarity=pl.Float64, category=pl.String,
)  # fmt: skip
VALUE_LADEN = _table(
    "value-laden questions", "source_id", source_id=pl.String, category=pl.String, keep=pl.Boolean, reason=pl.String
)
PROMPTS = _table(
    "prompts", "prompt_id", prompt_id=pl.String, category=pl.String, topic=pl.String, question=pl.String, source_text=pl.String,
    source_id=pl.String,
)  # fmt: skip
# Prompts that each step of curation kept, in the steps' order; category is "all" except in the last steps.
CURATION = _table("curation counts", "step category", step=pl.String, category=pl.String, prompts=pl.Int64)

# --- data: split is train or validation ---
SFT_SET = _table("SFT set", "row", row=pl.Int64, split=pl.String, messages=MESSAGES)
PREFERENCE_SET = _table(
    "preference set", "row", "chosen rejected support oppose neutral", row=pl.Int64, split=pl.String, prompt=MESSAGES,
    chosen=pl.String, rejected=pl.String, support=pl.String, oppose=pl.String, neutral=pl.String,
)  # fmt: skip

# --- synthetic: similarity is the cosine between a prompt and its nearest category; an answer has a text or, where there is
# none, the problem ---
CANDIDATES = _table(
    "retrieval candidates", "source row", source=pl.String, row=pl.Int64, prompt=pl.String, category=pl.String,
    similarity=pl.Float64,
)  # fmt: skip
ANSWERS = _table(
    "answers", "source row", "support support_problem oppose oppose_problem", source=pl.String, row=pl.Int64, prompt=pl.String,
    category=pl.String, support=pl.String, support_problem=pl.String, oppose=pl.String, oppose_problem=pl.String,
)  # fmt: skip
SYNTHETIC_PAIRS = _table("synthetic pairs", "prompt", prompt=pl.String, category=pl.String, support=pl.String, oppose=pl.String)

# --- train: metric is loss, learning_rate, reward, kl, response_length, ...; step in optimizer steps of the run ---
TRAINING_LOG = _table("training log", "run step metric", run=pl.String, step=pl.Int64, metric=pl.String, value=pl.Float64)

# --- generate: n_tokens without the end token; finish_reason is stop or length ---
GENERATIONS = _table(
    "generations", "run step prompt_id sample", run=pl.String, step=pl.Int64, prompt_id=pl.String, sample=pl.Int32,
    response=pl.String, n_tokens=pl.Int32, finish_reason=pl.String, seed=pl.Int64,
)  # fmt: skip

# --- judge: probabilities, which sum to 1. mass: probability on the three options before normalising. bound: what the options that
# the judge's server did not return may have of it at most, 0 where it returned all. flips: share of the orders of the options
# whose answer is not that of the average; null where they were asked in one order.
# status: ok; refused: <reason>; malformed: <reason> (degenerate text, scored or not); unscorable: <reason> (numbers are null) ---
STANCES = _table(
    "stances", "run step prompt_id sample judge", "support neutral oppose mass bound flips", run=pl.String, step=pl.Int64,
    prompt_id=pl.String, category=pl.String, sample=pl.Int32, judge=pl.String, support=pl.Float64, neutral=pl.Float64,
    oppose=pl.Float64, mass=pl.Float64, bound=pl.Float64, flips=pl.Float64, status=pl.String,
)  # fmt: skip
# A response that people label: `id` reveals neither run nor judge; people do not see the judge's probabilities.
LABEL_SAMPLE = _table(
    "label sample", "id", id=pl.String, run=pl.String, step=pl.Int64, prompt_id=pl.String, sample=pl.Int32, category=pl.String,
    question=pl.String, response=pl.String, topic=pl.String, support=pl.Float64, neutral=pl.Float64, oppose=pl.Float64,
)  # fmt: skip

# --- drift: mean, low, high are probabilities; prompts is the number of prompts averaged; unscorable, malformed and refused are
# shares of the responses; mass, bound and flips are means over them. Means are null where nothing could be scored, intervals also
# where there is one prompt ---
VALUES = _table(
    "values", "run step judge category stance", "mean low high mass bound flips", run=pl.String, step=pl.Int64, judge=pl.String,
    category=pl.String, stance=STANCE, mean=pl.Float64, low=pl.Float64, high=pl.Float64, prompts=pl.Int64, unscorable=pl.Float64,
    malformed=pl.Float64, refused=pl.Float64, mass=pl.Float64, bound=pl.Float64, flips=pl.Float64,
)  # fmt: skip
FLAGS = ("malformed", "refused", "unscorable")
"""Kinds of flagged responses: the status of one in STANCES begins with its kind, and VALUES has a column for each."""
# magnitude is a difference of probabilities; time a fraction of total_steps; extremum a probability.
DRIFT = _table(
    "drift", "run judge category stance", "magnitude magnitude_low magnitude_high time extremum extremum_step", run=pl.String,
    judge=pl.String, category=pl.String, stance=STANCE, magnitude=pl.Float64, magnitude_low=pl.Float64, magnitude_high=pl.Float64,
    time=pl.Float64, extremum=pl.Float64, extremum_step=pl.Int64, total_steps=pl.Int64,
)  # fmt: skip

# --- downstream: value and stderr as lm-eval gives them, shares of n questions for accuracies; shots are the examples shown ---
DOWNSTREAM = _table(
    "downstream scores", "run task", "stderr", run=pl.String, task=pl.String, metric=pl.String, shots=pl.Int32, value=pl.Float64,
    stderr=pl.Float64, n=pl.Int64,
)  # fmt: skip
