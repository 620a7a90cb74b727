"""Compares the judge with the labels of one or more people, as CSV and one HTML page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.human import HumanCheckJob
from valuedrift.errors import UserError
from valuedrift.human.labels import MAJORITY, read_people
from valuedrift.human.page import check_page
from valuedrift.io.files import replacing
from valuedrift.io.spreadsheets import write_csv
from valuedrift.io.tables import LABEL_SAMPLE
from valuedrift.stats.agreement import (
    MISSING,
    Bootstrap,
    Estimate,
    Floats,
    Labels,
    accuracy,
    cohen_kappa,
    confusion,
    encode,
    krippendorff_alpha,
    majority,
    mean,
    share,
)

N_STANCES = len(STANCES)
ALL, PEOPLE, TOGETHER = "all", "people", "people and judge"


@dataclass(frozen=True)
class Line:
    """One statistic of a category (or all), for a person, the majority or a group of raters.

    A line of the confusion matrix is the share of the judge's label among the responses with the person's label. `count` is the
    number of these responses; of accuracy, the number of equal labels; of the majority's ties, their number.
    """

    category: str
    rater: str
    statistic: str
    estimate: Estimate
    person_says: str = ""
    judge_says: str = ""
    count: int | None = None


@dataclass(frozen=True)
class Ratings:
    """The judge's probabilities (responses × stances) and the people's labels (responses × people)."""

    names: list[str]
    probabilities: Floats
    people: Labels

    @property
    def judge(self) -> Labels:
        """Return the judge's most likely stance of each response."""
        return np.asarray(self.probabilities.argmax(1))

    def subset(self, chosen: np.ndarray) -> "Ratings":
        """Return the ratings of the chosen responses, given as a mask."""
        return Ratings(self.names, self.probabilities[chosen], self.people[chosen])


def run(*, config: HumanCheckJob, sample: Path, labels: list[Path], csv: Path, page: Path) -> None:
    """Compare the judge with each person and with their majority; `labels` holds one file per person."""
    if not labels:
        raise UserError(
            "`human.labels` is empty: open label.html, label the responses, save the labels and list the saved file there"
        )
    drawn = LABEL_SAMPLE.read(sample)
    people = read_people(labels, set(drawn["id"]))
    given = [encode([of.get(one) for one in drawn["id"]], STANCES) for of in people.values()]
    ratings = Ratings(list(people), drawn.select(STANCES).to_numpy(), np.stack(given, axis=1))
    found = list(compare(config, ratings, drawn["category"].to_numpy()))
    write_csv(as_frame(found), csv)
    with replacing(page) as scratch:
        scratch.write_text(check_page(config, as_frame(found), drawn, people), encoding="utf-8")


def compare(config: HumanCheckJob, ratings: Ratings, categories: np.ndarray) -> Iterator[Line]:
    """Yield all lines: overall first, then per category in alphabetical order."""
    bootstrap = Bootstrap(config.confidence, config.resamples, config.seed)
    yield from _of_category(ALL, ratings, bootstrap)
    for category in sorted(set(categories)):
        yield from _of_category(category, ratings.subset(categories == category), bootstrap)


def _of_category(category: str, ratings: Ratings, bootstrap: Bootstrap) -> Iterator[Line]:
    for name, labels in zip(ratings.names, ratings.people.T, strict=True):
        yield from _of_rater(category, name, labels, ratings, bootstrap)
    if len(ratings.names) > 1:
        most, ties = majority(ratings.people, N_STANCES)
        yield Line(category, MAJORITY, "ties", Estimate(None, items=len(most)), count=ties)
        yield from _of_rater(category, MAJORITY, most, ratings, bootstrap)
    groups = {PEOPLE: ratings.people, TOGETHER: np.column_stack([ratings.people, ratings.judge])}
    for group, labels in groups.items():
        for statistic, ordinal in (("krippendorff_alpha", False), ("krippendorff_alpha_ordinal", True)):
            yield Line(category, group, statistic, krippendorff_alpha(labels, N_STANCES, bootstrap, ordinal))


def _of_rater(category: str, rater: str, labels: Labels, ratings: Ratings, bootstrap: Bootstrap) -> Iterator[Line]:
    """Yield the lines that compare the judge with one person's labels, or the majority's."""
    judge, labelled = ratings.judge, labels != MISSING
    yield Line(category, rater, "accuracy", accuracy(labels, judge, bootstrap.confidence), count=int((labels == judge).sum()))
    yield Line(category, rater, "cohen_kappa", cohen_kappa(labels, judge, N_STANCES, bootstrap))
    given = ratings.probabilities[labelled, labels[labelled]]
    yield Line(category, rater, "mean_probability", mean(given, bootstrap))
    for says, row in zip(STANCES, confusion(labels, judge, N_STANCES).tolist(), strict=True):
        for judges, count in zip(STANCES, row, strict=True):
            estimate = share(count, sum(row), bootstrap.confidence)
            yield Line(category, rater, "confusion", estimate, says, judges, count)


def as_frame(lines: list[Line]) -> pl.DataFrame:
    """Return the lines as a table, one statistic per row."""
    return pl.DataFrame(
        [
            {
                "category": line.category, "rater": line.rater, "statistic": line.statistic, "person_says": line.person_says,
                "judge_says": line.judge_says, "value": line.estimate.value, "low": line.estimate.low, "high": line.estimate.high,
                "responses": line.estimate.items, "count": line.count, "note": line.estimate.reason,
            }
            for line in lines
        ],
        schema_overrides={"value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "count": pl.Int64},
    )  # fmt: skip
