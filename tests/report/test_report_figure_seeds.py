from math import isnan

import pytest
from report_world import assert_legible, figure_job, values_row

from valuedrift.config.base import STANCES
from valuedrift.config.figures import Panel, PhaseOfPanel
from valuedrift.io.tables import VALUES
from valuedrift.report import figure

CATEGORY = "Immigration Policies"
SEEDS = ["m/a/b", "m/a/b-seed1", "m/a/b-seed2"]
POOLED = "m/a/b-seeds"


def drawn(trajectories, *phases):
    """The figure of {run: {step: (mean, low, high) or None}} and (label, run, seeds) for each phase, all stances alike."""
    rows = [
        values_row(run, step, CATEGORY, stance, *(numbers or (None,)))
        for run, points in trajectories.items()
        for step, numbers in points.items()
        for stance in STANCES
    ]
    panel = Panel(
        heading="h", base="m/base", phases=[PhaseOfPanel(label=label, run=run, seeds=seeds) for label, run, seeds in phases]
    )
    return figure.draw(figure_job(panel, category=CATEGORY), VALUES.frame(rows))


def mean_line(shown):
    line = next(line for line in shown.axes[0].lines if line.get_label() == "support")
    return [(x, pytest.approx(y)) for x, y in zip(*line.get_data(), strict=True)]


def seed_lines(shown):
    color = next(line.get_color() for line in shown.axes[0].lines if line.get_label() == "support")
    lines = [line for line in shown.axes[0].lines if line.get_color() == color and line.get_label() != "support"]
    return [list(zip(*line.get_data(), strict=True)) for line in lines]


def flat(value):
    return {0: (0.2, 0.1, 0.3), 1: (value, value - 0.1, value + 0.2), 2: (value, value - 0.1, value + 0.2)}


PARENT = {"m/base": {0: (0.5, 0.4, 0.6)}, "m/a": {0: (0.5, 0.4, 0.6), 10: (0.2, 0.1, 0.3)}}
PHASES = ("SFT", "m/a", []), ("DPO", POOLED, SEEDS)
RUNS = PARENT | dict(zip(SEEDS, map(flat, (0.3, 0.4, 0.8)), strict=True)) | {POOLED: flat(0.5)}


def test_the_line_and_its_band_are_those_of_what_pools_the_seeds():
    shown = drawn(RUNS, *PHASES)
    assert mean_line(shown) == [(0, 0.5), (1, 0.2), (1.5, 0.5), (2, 0.5)]
    band = {tuple(point) for point in shown.axes[0].collections[0].get_paths()[0].vertices.round(6).tolist()}
    assert {(2.0, 0.4), (2.0, 0.7)} <= band
    assert_legible(shown)


def test_each_seed_is_a_line_from_its_phases_start_on():
    shown = drawn(RUNS, *PHASES)
    assert seed_lines(shown) == [[(1, 0.2), (1.5, y), (2, y)] for y in (0.3, 0.4, 0.8)]
    assert [t.get_text() for t in shown.legends[0].get_texts()] == [*STANCES, "flagged", "one seed"]


def test_a_single_seed_has_no_line_beside_the_mean():
    shown = drawn(RUNS, ("SFT", "m/a", []), ("DPO", SEEDS[0], []))
    assert not seed_lines(shown)
    assert [t.get_text() for t in shown.legends[0].get_texts()] == [*STANCES, "flagged"]


def test_the_mean_is_drawn_where_all_seeds_were_measured_and_each_seed_to_its_own_end():
    runs = RUNS | {POOLED: {0: flat(0.5)[0], 2: None}, SEEDS[2]: flat(0.8) | {4: (0.9, 0.8, 1.0)}}
    shown = drawn(runs, *PHASES)
    assert [isnan(y.expected) for _, y in mean_line(shown)] == [False, False, True]
    assert seed_lines(shown)[2] == [(1, 0.2), (1.25, 0.8), (1.5, 0.8), (2, 0.9)]
    assert [t.get_text() for t in shown.axes[0].get_xticklabels()][-1] == "4"


def test_seeds_that_share_no_step_are_drawn_without_a_mean():
    runs = {SEEDS[0]: {1: (0.3, 0.2, 0.4)}, SEEDS[1]: {2: (0.4, 0.3, 0.5)}}
    shown = drawn(runs, ("DPO", POOLED, SEEDS[:2]))
    assert mean_line(shown) == []
    assert seed_lines(shown) == [[(0.5, 0.3)], [(1.0, 0.4)]]
