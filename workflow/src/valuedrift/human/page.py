"""Fills the page of the human check: the content of each cell is decided here, its look in the template."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.human import HumanCheckJob
from valuedrift.human.labels import MAJORITY
from valuedrift.io.pages import fill

TEMPLATE = Path(__file__).with_name("check.html.j2")
NO_VALUE = "–"
ALPHAS = [("krippendorff_alpha", "nominal"), ("krippendorff_alpha_ordinal", "ordinal")]
PERCENT = ("accuracy", "confusion")

Number = dict[str, Any]
"""One line of the CSV."""


def check_page(config: HumanCheckJob, lines: pl.DataFrame, drawn: pl.DataFrame, people: dict[str, dict[str, str]]) -> str:
    """Return the page of the CSV's lines; `drawn` are rows of LABEL_SAMPLE, `people` is name → id → label."""
    found = {(n["category"], n["rater"], n["statistic"], n["person_says"], n["judge_says"]): n for n in lines.iter_rows(named=True)}
    names = list(people)
    raters = [*([MAJORITY] if len(names) > 1 else []), *names]
    categories = [category for category in lines["category"].unique(maintain_order=True) if category != "all"]

    def of(category: str, rater: str, statistic: str, person_says: str = "", judge_says: str = "") -> Number:
        return found[category, rater, statistic, person_says, judge_says]

    return fill(
        TEMPLATE,
        {
            "job": config, "names": names, "raters": raters, "categories": categories, "stances": STANCES, "alphas": ALPHAS,
            "responses": drawn.height, "of": of, "differences": differences(drawn, people),
        },
        shown=shown, interval=interval,
    )  # fmt: skip


def shown(number: Number) -> str:
    """Return the value as text: a share in percent, everything else with two decimals."""
    value = number["value"]
    return NO_VALUE if value is None else f"{value:.0%}" if number["statistic"] in PERCENT else f"{value:.2f}".replace("-", "−")


def interval(number: Number) -> str:
    """Return the interval's bounds as text, "" if there is none."""
    if number["low"] is None:
        return ""
    return f"{shown(number | {'value': number['low']})} to {shown(number | {'value': number['high']})}"


def differences(drawn: pl.DataFrame, people: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Return the responses to which somebody gave another label than the judge, sorted by the judge's confidence."""
    rows = []
    for row in drawn.iter_rows(named=True):
        judge = max(STANCES, key=lambda stance: row[stance])
        said = {name: labels[row["id"]] for name, labels in people.items() if row["id"] in labels}
        if any(label != judge for label in said.values()):
            rows.append(row | {"judge": judge, "sure": row[judge], "said": said})
    return sorted(rows, key=lambda row: (-row["sure"], row["id"]))
