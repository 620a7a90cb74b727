"""No fault of the paper is asserted only: which cells each reason concerns is recomputed from the printed values, and must agree."""

import csv
from itertools import groupby
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from valuedrift.config.scorecard import ScorecardJob
from valuedrift.report import scorecard

REFERENCE = Path(__file__).parents[2] / "config" / "reference"
QUESTIONS = {"mmlu": 14042, "hellaswag": 10042, "gpqa_diamond": 198, "piqa": 1838}
SUBJECTS = 57
RUN = ("model", "sft_dataset", "phase", "preference_dataset", "chosen")
UNSURE = 0.005  # what is printed with two decimals may be off by this
# How the reasons in the file begin → what they are called here.
REASONS = {
    "Tables 14 and 16": "same magnitudes", "Tables 9 and 10": "same times", "The magnitudes of the three": "sum", "Section 6.2 gives": "time in 6.2",
    "Section 6.2 quotes": "magnitude in 6.2", "0.20 is no": "grid", "Section 5.2": "ranking", "GPQA": "count", "The standard error": "stderr",
}  # fmt: skip


def rows_of(name):
    with (REFERENCE / name).open() as file:
        return list(csv.DictReader(file))


DRIFT = rows_of("paper_drift.csv")
SCORES = rows_of("paper_downstream.csv")
KEY = ["table", *RUN, "category", "benchmark", "metric", "stance"]


def key(row):
    return tuple(row.get(name, "") for name in KEY)


def cells(**fields):
    """The drift cells that agree with all fields."""
    return [row for row in DRIFT if all(row[name] == value for name, value in fields.items())]


def triples():
    """(first row, magnitudes of the three stances) of each table, run and category."""
    place = lambda row: key(row)[:-1]  # noqa: E731
    for _, stances in groupby(sorted(cells(metric="magnitude"), key=place), key=place):
        found = list(stances)
        yield found, [float(row["value"]) for row in found]


@pytest.fixture(scope="module")
def flagged():
    """Name of the reason → the cells that the shipped rules flag with it."""
    files = {name: str(REFERENCE / f"paper_{name}.csv") for name in ("drift", "downstream", "faults")}
    job = ScorecardJob(**files, judge="j", runs=[])
    table, unused = scorecard._flagged(scorecard._printed(job), job.faults)
    assert unused == 0, "a rule flags no cell"
    found = {name: set() for name in REASONS.values()}
    for row in table.iter_rows(named=True):
        for reason in row["flags"]:
            found[next(name for start, name in REASONS.items() if reason.startswith(start))].add(key(row))
    return found


def test_the_reference_is_the_papers_2286_values():
    assert (len(DRIFT), len(SCORES)) == (2166, 120)
    assert {table: len(cells(table=table)) for table in ("1", "9", "10", "11", "12", "13", "14", "15", "16")} == {
        "1": 54, "9": 132, "10": 132, "11": 132, "12": 132, "13": 396, "14": 396, "15": 396, "16": 396,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "metric", "count"), [("same magnitudes", "magnitude", 198), ("same times", "time", 66)])
def test_pairs_of_tables_that_print_the_same(flagged, name, metric, count):
    """Among all pairs of tables of two models, these and no others agree throughout."""

    def printed(table):
        return {key(row)[2:]: row["value"] for row in cells(table=table, metric=metric)}

    tables = sorted({row["table"] for row in DRIFT})
    same = [(a, b) for a in tables for b in tables if a < b and printed(a) == printed(b)]
    assert len(same) == 1
    assert all(len(printed(table)) == count for table in same[0])
    assert flagged[name] == {key(row) for table in same[0] for row in cells(table=table, metric=metric)}


def test_magnitudes_that_cannot_sum_to_zero(flagged):
    wrong = [(found, sum(m)) for found, m in triples() if abs(sum(m)) > 3 * UNSURE + 1e-9]
    assert flagged["sum"] == {key(row) for found, _ in wrong for row in found}
    assert sorted(round(total, 2) for _, total in wrong) == [-0.04, -0.02, 0.02]
    reasons = " ".join(row["reason"] for row in rows_of("paper_faults.csv"))
    assert all(f"sum to {total:.2f};" in reasons for _, total in wrong)


def test_what_section_6_says_of_immigration_is_not_what_table_15_prints(flagged):
    place = {"table": "15", "category": "Immigration Policies"}
    (time,) = cells(**place, phase="simpo", chosen="support", metric="time", stance="support")
    (ppo,) = cells(**place, phase="ppo", chosen="support", metric="time", stance="support")
    assert (time["value"], ppo["value"]) == ("1.00", "0.34")
    assert flagged["time in 6.2"] == {key(time)}
    dpo = {row["stance"]: row for row in cells(**place, phase="dpo", chosen="oppose", metric="magnitude")}
    assert (dpo["support"]["value"], dpo["oppose"]["value"]) == ("-0.06", "0.46")
    assert flagged["magnitude in 6.2"] == {key(dpo["support"]), key(dpo["oppose"])}


def test_one_time_is_on_no_grid(flagged):
    """WildChat k/11; Alpaca, synthetic and UltraFeedback every 100, 100 and 400 steps, and the end."""
    totals = {"wildchat": (500, 5500), "alpaca": (100, 1097), "synthetic": (100, 888), "ultrafeedback": (400, 5710)}

    def possible(row):
        every, total = totals[row["preference_dataset"] or row["sft_dataset"]]
        return {f"{step / total:.2f}" for step in (*range(every, total, every), total)}

    off = [row for row in cells(metric="time") if row["value"] not in possible(row)]
    assert [row["value"] for row in off] == ["0.20"] and flagged["grid"] == {key(row) for row in off}


def test_where_table_1_does_not_rank_dpo_first(flagged):
    moved = {}
    for found, magnitudes in triples():
        if found[0]["table"] == "1":
            moved[found[0]["category"], found[0]["phase"]] = sum(map(abs, magnitudes))
    wrong = set()
    for (category, phase), total in moved.items():
        if total > moved[category, "dpo"]:
            wrong |= {
                key(row) for name in (phase, "dpo") for row in cells(table="1", category=category, phase=name, metric="magnitude")
            }
    assert flagged["ranking"] == wrong and len(wrong) == 15
    assert not [row for row in wrong if "Discussions on Abortion" in row]


def is_count(row, digits=4):
    n = QUESTIONS[row["benchmark"]]
    near = round(float(row["value"]) * n)
    return any(round(k / n, digits) == round(float(row["value"]), digits) for k in (near - 1, near, near + 1))


def test_scores_that_no_count_of_right_answers_gives(flagged):
    wrong = [row for row in SCORES if row["benchmark"] == "gpqa_diamond" and not is_count(row)]
    assert flagged["count"] == {key(row) for row in wrong}
    assert sorted(row["value"] for row in wrong if row["phase"] == "ppo") == [
        "0.3050",
        "0.3500",
        "0.3860",
        "0.3860",
        "0.3920",
        "0.3980",
    ]
    assert [row["value"] for row in wrong if row["phase"] != "ppo"] == ["0.3031"]  # 60 of 198 is 0.3030
    # The other benchmarks' scores are counts to three digits, and to four but for 18 of PIQA, which all end in 0.
    others = [row for row in SCORES if row["benchmark"] != "gpqa_diamond"]
    assert all(is_count(row, 3) for row in others)
    rounded = [row for row in others if not is_count(row)]
    assert len(rounded) == 18 and all(row["benchmark"] == "piqa" and row["value"].endswith("0") for row in rounded)


def test_standard_errors_that_the_score_does_not_give(flagged):
    """Of n answers sqrt(p (1 - p) / n), or n - 1; MMLU's is pooled over its subjects, so at most sqrt(p (1 - p) / (n - 57))."""

    def fits(row):
        p, n, printed = float(row["value"]), QUESTIONS[row["benchmark"]], float(row["stderr"])
        smaller = SUBJECTS if row["benchmark"] == "mmlu" else 1
        given = [sqrt(q * (1 - q) / m) for q in (p - 0.0005, p + 0.0005) for m in (n, n - smaller)]  # scores to three digits
        low = 0 if row["benchmark"] == "mmlu" else min(given)
        return low - 0.00005 <= printed <= max(given) + 0.00005

    wrong = [row for row in SCORES if not fits(row)]
    assert flagged["stderr"] == {key(row) for row in wrong}
    assert len(wrong) == 17 and sum(row["benchmark"] == "mmlu" for row in wrong) == 3


def misfit(model, category):
    """The least further error, beyond rounding, with which some stances from the base model on print all of a model's magnitudes.

    A linear program: a distribution over the stances before and after each phase, whose differences are the magnitudes.
    """
    places = {("base",): 0}
    steps = []
    for row in cells(model=model, category=category, metric="magnitude"):
        before = ("base",) if row["phase"] == "sft" else (row["sft_dataset"],)
        after = (row["sft_dataset"],) if row["phase"] == "sft" else tuple(row[name] for name in RUN)
        steps.append((before, after, ("support", "neutral", "oppose").index(row["stance"]), float(row["value"])))
        for place in (before, after):
            places.setdefault(place, len(places))
    n = 3 * len(places)
    bounds, limits = [], []
    for before, after, stance, value in steps:
        change = np.zeros(n + 1)
        change[3 * places[after] + stance], change[3 * places[before] + stance] = 1, -1
        for sign in (1, -1):
            bounds.append(sign * change - np.eye(n + 1)[n])
            limits.append(sign * value + UNSURE)
    sums = np.zeros((len(places), n + 1))
    for place in places.values():
        sums[place, 3 * place : 3 * place + 3] = 1
    found = linprog(np.eye(n + 1)[n], bounds, limits, sums, np.ones(len(places)), bounds=[(0, 1)] * n + [(0, None)])
    return found.fun


def test_but_for_the_sums_the_magnitudes_are_possible_together():
    """So the tables cannot tell which of 14 and 16 is the copy: from either model's SFT stances, those magnitudes stay in 0 to 1."""
    wrong = {
        (model, category)
        for model in {r["model"] for r in DRIFT}
        for category in {r["category"] for r in DRIFT}
        if misfit(model, category) > 1e-6
    }
    assert wrong == {("llama3-8b", category) for category in (
        "Discussions on Abortion", "Family and Relationship Values", "Religion and Spirituality Beliefs")}  # fmt: skip
