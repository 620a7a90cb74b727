"""What the columns of a table can hold: types with ranges, and rules that tie columns together."""

import sys
from dataclasses import dataclass
from functools import reduce
from operator import or_

import polars as pl
from polars.datatypes import DataTypeClass

Type = pl.DataType | DataTypeClass
Rules = dict[str, pl.Expr]
"""What is wrong → whether it is in a row; null where a value that may be missing is."""
TOLERANCE = 1e-5
"""How far rounding may take a number out of its range: cosines of 384 float32 numbers are off by 1e-6, sums of float64 by less."""
MOST = sys.float_info.max


@dataclass(frozen=True)
class Column:
    """A column's type with the range of its numbers, or with the words that it may hold."""

    type: Type
    low: float = -MOST
    high: float = MOST
    words: tuple[str, ...] = ()
    slack: float = TOLERANCE

    def rule(self, name: str) -> tuple[str, pl.Expr]:
        """Return the rule of a column of this name."""
        if self.words:
            return f"{name} is none of {', '.join(self.words)}", ~pl.col(name).is_in(self.words)
        kind = (
            f"from {self.low:g} to {self.high:g}" if self.high < MOST else f"{self.low:g} or more" if self.low > -MOST else "finite"
        )
        # NaN counts as above every number.
        return f"{name} is not {kind}", ~pl.col(name).is_between(self.low - self.slack, self.high + self.slack)


NUMBER = Column(pl.Float64)
"""Any finite number."""
PROBABILITY = SHARE = Column(pl.Float64, 0, 1)
MASS = Column(pl.Float64, 0, 1, slack=0.05)
"""A sum of probabilities over up to eight tokens as a server rounds them; of one token, sums up to 1.01 are taken."""
DIFFERENCE = COSINE = Column(pl.Float64, -1, 1)
CONTRAST = Column(pl.Float64, -2, 2)
"""A difference of two differences."""
POSITIVE = Column(pl.Float64, 0)
STEP = COUNT = ROW = Column(pl.Int64, 0)
INDEX = Column(pl.Int32, 0)
CLUSTER = Column(pl.Int32, -1)
COORDINATE = Column(pl.Float32)
SPLIT = Column(pl.String, words=("train", "validation"))

FLAGS = ("malformed", "refused", "unscorable")
"""Kinds of flagged responses: the status of one in STANCES begins with its kind, and VALUES has a column for each."""
STANCE_NAMES = ("support", "neutral", "oppose")
STANCE = pl.Enum(STANCE_NAMES)
VERDICTS = ("moved", "preserved", "undecided")
"""What is said of a drift."""
VERDICT = pl.Enum(VERDICTS)
CONTRAST_VERDICTS = ("different", "equivalent", "undecided")
"""What is said of a difference."""
DIFFERS = pl.Enum(CONTRAST_VERDICTS)
DISTRIBUTION: Rules = {
    "support, neutral and oppose do not sum to 1": (pl.sum_horizontal(STANCE_NAMES, ignore_nulls=False) - 1).abs() > TOLERANCE
}
TIMES = ("time", "half", "ninety")


def _crossed(low: str, high: str) -> Rules:
    return {f"{low} is above {high}": pl.col(low) > pl.col(high)}


TIMED: Rules = {
    **{f"{t} is not null, though total_steps is 0": pl.col(t).is_not_null() & (pl.col("total_steps") == 0) for t in TIMES},
    **_crossed("half_low", "half_high"), **_crossed("ninety_low", "ninety_high"),
}  # fmt: skip
INTERVAL: Rules = _crossed("low", "high")
BANDS: Rules = INTERVAL | _crossed("band_low", "band_high")


def _is(*flags: str) -> pl.Expr:
    return reduce(or_, (pl.col("status").str.starts_with(f"{flag}: ") for flag in flags))


_NULLS = [pl.col(name).is_null() for name in (*STANCE_NAMES, "mass")]
SCORED: Rules = {
    f"status is neither ok nor one of {', '.join(FLAGS)} with a reason": ~((pl.col("status") == "ok") | _is(*FLAGS)),
    "only some of support, neutral, oppose and mass are null": pl.any_horizontal(_NULLS) & ~pl.all_horizontal(_NULLS),
    "support is null, though status is ok or refused": _NULLS[0] & ((pl.col("status") == "ok") | _is("refused")),
    "support is not null, though status is unscorable": ~_NULLS[0] & _is("unscorable"),
}
"""Probabilities are null exactly where a response is unscorable; a malformed one may be scored or not."""


def broken(frame: pl.DataFrame, rules: Rules, key: list[str]) -> list[str]:
    """Return the rules that rows of the frame break, each with how many rows do and the key of the first."""
    counts = frame.select(wrong.sum().alias(name) for name, wrong in rules.items())  # all at once: 0.1 s for 3.2 million stances
    found = [(name, count) for name, (count,) in counts.to_dict(as_series=False).items() if count]
    return [f"{name} in {count:,} of {frame.height:,} rows, as in {_first(frame, rules[name], key)}" for name, count in found]


def _first(frame: pl.DataFrame, wrong: pl.Expr, key: list[str]) -> str:
    return ", ".join(f"{column} {value}" for column, value in frame.filter(wrong).select(key).row(0, named=True).items())
