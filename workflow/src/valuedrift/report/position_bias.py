"""What the order of the options does to a judge's answers, from responses that it was asked about in all six orders."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.drift import ValuesConfig
from valuedrift.io.tables import ORDERS
from valuedrift.report.numbers import MISSING, interval, percent, signed
from valuedrift.report.table import Block, Cell, Table, number_column, text_column
from valuedrift.stats.intervals import Interval, difference_intervals, share_intervals

PLACES = ("first", "second", "third")
ASKED = "asked"
"""Beside the places: the order in which the study asks, support first."""
ALL = sorted(permutations(STANCES))


@dataclass(frozen=True)
class PositionBias:
    """What the order does to the answers of one judge. Shifts are from the mean over all orders."""

    judge: str
    drawn: int
    """Responses that were asked."""
    scored: int
    """Responses that got an answer in every order."""
    flips: Interval
    """Share of these whose most likely stance is not the same in all orders."""
    shifts: dict[tuple[str, str], Interval]
    """Stance, and the place where it stands in the list or ASKED → mean shift of its probability, each response one observation."""
    largest: tuple[float, str, str] | None
    """The largest shift of a stance's mean in one order, the stance, and the order."""


def position_bias(orders: pl.DataFrame, config: ValuesConfig, seed: int) -> PositionBias:
    """Return what the order does to a judge's answers, from its ORDERS, with intervals of the kind that values have."""
    key = list(ORDERS.key[:-1])
    whole = orders.filter(pl.col("support").is_not_null().all().over(key)).sort(*key, "order")
    p = whole.select(STANCES).to_numpy().reshape(-1, len(ALL), len(STANCES))
    mean, chosen = p.mean(1), p.argmax(2)
    flips = share_intervals([(chosen != chosen[:, :1]).any(1).astype(float)], config, seed)[0]
    shifts, found = dict[tuple[str, str], Interval](), list[tuple[float, str, str]]()
    for column, stance in enumerate(STANCES):
        placed = {place: [i for i, order in enumerate(ALL) if order[n] == stance] for n, place in enumerate(PLACES)}
        for place, these in (placed | {ASKED: [ALL.index(STANCES)]}).items():
            at = p[:, these, column].mean(1)
            shifts[stance, place] = difference_intervals([mean[:, column]], [at], config, seed)[0]
        if len(p):
            found += [(float(np.mean(p[:, i, column] - mean[:, column])), stance, ", ".join(order)) for i, order in enumerate(ALL)]
    drawn = orders.select(key).n_unique() if len(orders) else 0
    judge = orders["judge"][0] if len(orders) else ""
    return PositionBias(judge, drawn, len(p), flips, shifts, max(found, key=lambda one: abs(one[0]), default=None))


def bias_table(biases: list[PositionBias]) -> Table:
    """Return the shifts of each stance's probability, a block for each judge."""
    columns = [number_column("listed", place) for place in PLACES] + [number_column("as the study\nasks")]
    blocks = [
        Block(
            bias.judge,
            [[Cell(stance), *(Cell(_with_ends(bias.shifts[stance, at])) for at in (*PLACES, ASKED))] for stance in STANCES],
        )
        for bias in biases
    ]
    return Table([text_column("stance"), *columns], blocks, block_heading="judge")


def sentences(biases: list[PositionBias], values: pl.DataFrame, confidence: float) -> list[str]:
    """Return what is known of each judge: of those asked in one order from the check, of the others from the flips in VALUES."""
    return [*(_checked(bias, confidence) for bias in biases), *_averaged(values)]


def _checked(bias: PositionBias, confidence: float) -> str:
    if bias.largest is None:
        return f"{bias.judge}: none of the {bias.drawn} responses that were drawn got an answer in every order."
    flips, (shift, stance, order) = bias.flips, bias.largest
    ends = f" ({100 * confidence:.4g}% interval {percent(flips.low)} to {percent(flips.high)})" if flips.low is not None else ""
    left = f" of the {bias.drawn} drawn" if bias.scored < bias.drawn else ""
    return (
        f"{bias.judge}: of {bias.scored} responses{left} {percent(flips.mean)}{ends} get another answer in at least one of the six "
        f"orders. The order that matters most, {order}, changes the mean probability of {stance} on them by {signed(shift)}."
    )


def _averaged(values: pl.DataFrame) -> list[str]:
    known = values.filter(pl.col("flips").is_not_null(), pl.col("stance") == "support")
    return [
        f"{judge}: every response is asked in several orders, whose mean counts; {percent(flips)} of the answers differ from it."
        for judge, flips in known.group_by("judge").agg(pl.col("flips").sort().mean()).sort("judge").iter_rows()
    ]


def _with_ends(shift: Interval) -> str:
    return MISSING if shift.mean is None else f"{signed(shift.mean)} {interval(shift.low, shift.high)}".strip()
