"""Count rows of datasets and tokens of their texts: in their tables where they exist, else from the config."""

from dataclasses import dataclass
from functools import cache

import polars as pl

from valuedrift.chat.spending import CHARACTERS
from valuedrift.sizing.amount import ASSUMED, AT_MOST, Amount
from valuedrift.sizing.counts import Workload

ROWS_MEASURED = 1000
"""Rows of a table on which the length of its texts is measured."""
DEFAULT_ROWS = Amount(100_000, ASSUMED)
"""Rows of a dataset of which nothing is known."""
TYPICAL_TOKENS = {
    "alpaca": (21, 68), "hh_rlhf": (122, 42),  # measured on extracts of 9,000 and 2,312 rows
    "wildchat": (200, 300), "messages": (200, 300), "ultrafeedback": (170, 330), "synthetic": (25, 250),
}  # fmt: skip
"""Format -> tokens of a prompt and of an answer, while the data is not on disk."""
MINIATURE_TOKENS = (11, 16)
"""The same for the miniature's grammar."""


@dataclass(frozen=True)
class Length:
    """Mean tokens of a row."""

    prompt: Amount
    answer: Amount

    @property
    def whole(self) -> Amount:
        """Tokens of prompt and answer together."""
        return self.prompt + self.answer


class Lengths:
    """Rows and lengths of the datasets and mixtures of a study."""

    def __init__(self, work: Workload) -> None:
        self.work, self.config, self.study = work, work.config, work.study
        self.of = cache(self._of)

    def rows(self, dataset: str) -> Amount:
        """Return the rows that a run trains on; if unknown, what the miniature makes, the dataset's limit, or a guess."""
        known = self.work.rows(dataset)
        if not known.partly:
            return known
        if dataset in self.study.mixtures:
            mixture = self.config.mixtures[self.study.mixtures[dataset][0]]
            return min(self.rows(mixture.gap), self.rows(mixture.rest), key=lambda amount: amount.value)
        block, world, synthetic = self.config.datasets[dataset], self.config.miniature, self.config.synthetic
        trained = 1 - block.validation
        if synthetic and self.study.here(block.path) == f"{self.study.folder}/synthetic/pairs.parquet":
            return Amount(synthetic.cap * len(self.study.categories) * trained, AT_MOST)
        if world and self.study.is_made(self.study.here(block.path)):
            return Amount((world.preference_rows if block.is_preference else world.sft_rows) * trained, AT_MOST)
        return Amount(block.limit * trained, AT_MOST) if block.limit else DEFAULT_ROWS

    def _of(self, dataset: str) -> Length:
        """Return the mean length of a dataset's rows."""
        rows = self.work.data(dataset, lambda rows: rows.head(ROWS_MEASURED))
        if rows is not None:
            return _measured(rows)
        if dataset in self.study.mixtures:
            return self.of(self.config.mixtures[self.study.mixtures[dataset][0]].gap)
        typical = MINIATURE_TOKENS if self.config.miniature else TYPICAL_TOKENS[self.config.datasets[dataset].format]
        return Length(*(Amount(tokens, ASSUMED) for tokens in typical))


def _measured(rows: pl.DataFrame) -> Length:
    """Return the mean length of rows of an SFT or preference table."""
    if "messages" in rows.columns:
        turns, answer = "messages", pl.col("messages").list.last().struct.field("content")
    else:
        turns, answer = "prompt", pl.coalesce("chosen", "support", "oppose", pl.lit(""))
    written = pl.col(turns).list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
    all_turns, answers = rows.select(written.mean(), answer.str.len_chars().mean().alias("answer")).row(0)
    prompt = (all_turns or 0) - (answers or 0 if turns == "messages" else 0)
    return Length(*(Amount(characters / CHARACTERS, ASSUMED) for characters in (prompt, answers or 0)))
