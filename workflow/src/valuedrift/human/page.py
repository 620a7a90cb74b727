"""The page of the human check: what stands in each cell is decided here, how it looks in the template."""

from pathlib import Path
from typing import Any

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.human import HumanCheckJob
from valuedrift.human.labels import MAJORITY
from valuedrift.io.pages import fill

TEMPLATE = Path(__file__).with_name("check.html.j2")
NONE = "–"
ALPHAS = [("krippendorff_alpha", "nominal"), ("krippendorff_alpha_ordinal", "ordinal")]
PERCENT = ("accuracy", "confusion")

Number = dict[str, Any]
"""One line of the CSV."""


def check_page(config: HumanCheckJob, lines: pl.DataFrame, drawn: pl.DataFrame, people: dict[str, dict[str, str]]) -> str:
    """The page of the CSV's lines; `drawn` are rows of LABEL_SAMPLE, `people` the labels by name and id."""
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
    """The value: a share in percent, everything else with two decimals."""
    value = number["value"]
    return NONE if value is None else f"{value:.0%}" if number["statistic"] in PERCENT else f"{value:.2f}".replace("-", "−")


def interval(number: Number) -> str:
    """Both ends of the interval as they are shown, "" where there is none."""
    if number["low"] is None:
        return ""
    return f"{shown(number | {'value': number['low']})} to {shown(number | {'value': number['high']})}"


def differences(drawn: pl.DataFrame, people: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """The responses of which somebody's label is not the judge's, the surest answers of the judge first."""
    rows = []
    for row in drawn.iter_rows(named=True):
        judge = max(STANCES, key=lambda stance: row[stance])
        said = {name: labels[row["id"]] for name, labels in people.items() if row["id"] in labels}
        if any(label != judge for label in said.values()):
            rows.append(row | {"judge": judge, "sure": row[judge], "said": said})
    return sorted(rows, key=lambda row: (-row["sure"], row["id"]))
