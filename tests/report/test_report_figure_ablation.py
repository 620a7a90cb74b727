import math

import pytest
from pydantic import TypeAdapter, ValidationError
from report_world import JUDGE, assert_legible, drift_row, values_row

from valuedrift.config.base import STANCES
from valuedrift.config.figures import AblationFigure, AblationJob, AblationPoint, FigureConfig, StyleConfig, TrajectoryFigure
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT, VALUES
from valuedrift.report import ablation

TOPICS = ["Discussions on Abortion", "Immigration Policies", "Climate Change Opinions"]


def job_of(points, categories=TOPICS, parameter="kl", parent="m/a", stance="support"):
    """An AblationJob of {value: a run, and its seeds if it has several}."""
    found = [AblationPoint(value=value, run=run, seeds=seeds) for value, (run, *seeds) in points.items()]
    return AblationJob(
        parameter=parameter, categories=list(categories), points=found, parent=parent, stance=stance, judge=JUDGE,
        style=StyleConfig(),
    )  # fmt: skip


def values_of(ends, categories=TOPICS):
    """VALUES of {run: support at the last of three steps}; earlier steps, neutral and oppose have other numbers."""
    numbers = {"support": 0.0, "neutral": 0.15, "oppose": 0.05}
    return VALUES.frame(
        [
            values_row(run, step, category, stance, (None if end is None and step == 9 else (end or 0.3) + numbers[stance] + early))
            for run, end in ends.items() for category in categories for step, early in ((0, 0.02), (5, 0.01), (9, 0.0))
            for stance in STANCES
        ]
    )  # fmt: skip


def line(ax, label):
    return next(list(zip(*line.get_data(), strict=True)) for line in ax.lines if line.get_label() == label)


def ticks(ax):
    return [t.get_text() for t in ax.get_xticklabels()]


def test_points_are_the_last_checkpoints_with_their_intervals_by_ascending_value():
    values = values_of({"m/a": 0.2, "m/a/x": 0.5, "m/a/y": 0.4})
    shown = ablation.draw(job_of({0.2: ["m/a/x"], 0.1: ["m/a/y"]}), values)
    assert [ax.get_title().replace("\n", " ") for ax in shown.axes] == TOPICS
    assert [ax.get_xlabel() for ax in shown.axes] == ["KL coefficient"] * 3
    assert [ax.get_ylabel() for ax in shown.axes] == ["support probability", "", ""]
    assert {ax.get_ylim() for ax in shown.axes} == {(0, 1)}
    for ax in shown.axes:
        assert line(ax, "after training") == [(0.1, 0.4), (0.2, 0.5)]
        intervals = [segment.round(6).tolist() for segment in ax.collections[-1].get_segments()]
        assert intervals == [[[0.1, 0.35], [0.1, 0.45]], [[0.2, 0.45], [0.2, 0.55]]]
        assert {y for _, y in line(ax, "before training")} == {0.2}
        band = ax.collections[0].get_paths()[0].vertices[:, 1].round(6)
        assert set(band.tolist()) == {0.15, 0.25}
        assert ticks(ax) == ["0.1", "0.2"]
    assert [t.get_text() for t in shown.legends[0].get_texts()] == ["before training", "after training"]


def test_another_stance_is_drawn_in_its_colour():
    values = values_of({"m/a": 0.2, "m/a/x": 0.5})
    ax = ablation.draw(job_of({0.5: ["m/a/x"]}, TOPICS[:1], "gamma", stance="oppose"), values).axes[0]
    assert line(ax, "after training") == [(0.5, pytest.approx(0.55))]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("oppose probability", "γ")
    assert {line.get_color() for line in ax.lines if line.get_label() == "after training"} == {StyleConfig().colors.oppose}


def test_a_parameter_without_a_name_of_its_own_is_called_by_its_key():
    values = values_of({"m/a": 0.2, "m/a/x": 0.5})
    assert ablation.draw(job_of({0.5: ["m/a/x"]}, TOPICS[:1], "learning_rate"), values).axes[0].get_xlabel() == "learning_rate"


def test_seeds_are_dots_around_their_mean():
    values = values_of({"m/a-seeds": 0.25, "m/a/x": 0.4, "m/a/x-seed1": 0.6, "m/a/x-seeds": 0.5})
    job = job_of({0.5: ["m/a/x-seeds", "m/a/x", "m/a/x-seed1"]}, TOPICS[:1], parent="m/a-seeds")
    shown = ablation.draw(job, values)
    ax = shown.axes[0]
    assert line(ax, "after training") == [(0.5, pytest.approx(0.5))]
    assert line(ax, "one seed") == [(0.5, 0.4), (0.5, 0.6)]
    assert [y for _, y in line(ax, "before training")] == pytest.approx([0.25, 0.25])
    assert_legible(shown)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.5, 1], [0.1, 0.5, 1]),  # exactly a factor of 10
        ([0.01, 0.1, 1], [-2, -1, 0]),
        ([0, 0.25, 1], [0, 0.25, 1]),
        ([0, 0.01, 0.1, 1], [-3, -2, -1, 0]),
        ([-1, 0.01, 1], [-1, 0.01, 1]),
        ([0], [0]),
    ],
)
def test_a_wide_range_is_drawn_in_logarithms_with_0_before_them(values, expected):
    assert ablation.positions(values) == pytest.approx(expected)


def test_no_line_leads_to_a_0_beside_logarithms():
    values = values_of({"m/a": 0.2, "m/a/x": 0.3, "m/a/y": 0.4, "m/a/z": 0.5})
    ax = ablation.draw(job_of({0: ["m/a/x"], 0.01: ["m/a/y"], 1: ["m/a/z"]}, TOPICS[:1]), values).axes[0]
    assert line(ax, "after training") == [(-4, 0.3), (-2, 0.4), (0, 0.5)]
    joined = [list(zip(*drawn.get_data(), strict=True)) for drawn in ax.lines if drawn.get_linestyle() == "-"]
    assert joined == [[(-2, 0.4), (0, 0.5)]]
    assert (ticks(ax), [t.get_text() for t in ax.texts]) == (["0", "0.01", "1"], ["//"])


def test_labels_stand_upright_where_they_would_touch():
    grids = {"lying": [0.01, 0.05, 0.2, 1], "upright": [0.01, 0.05, 0.1, 0.2, 0.5, 1], "thinned": [1, 1.01, 1.02, 5, 9]}
    shown = {}
    for name, grid in grids.items():
        points = {value: [f"m/a/{value}"] for value in grid}
        shown[name] = ablation.draw(job_of(points), values_of({"m/a": 0.2} | {run: 0.5 for [run] in points.values()}))
    assert {name: f.axes[0].get_xticklabels()[0].get_rotation() for name, f in shown.items()} == {
        "lying": 0, "upright": 90, "thinned": 90,
    }  # fmt: skip
    assert ticks(shown["upright"].axes[0]) == ["0.01", "0.05", "0.1", "0.2", "0.5", "1"]
    assert ticks(shown["thinned"].axes[0]) == ["1", "", "", "5", "9"]


def test_a_null_at_the_end_leaves_a_gap():
    values = values_of({"m/a": 0.2, "m/a/x": None, "m/a/y": 0.4})
    shown = ablation.draw(job_of({0.1: ["m/a/x"], 0.2: ["m/a/y"]}, TOPICS[:1]), values)
    assert [math.isnan(y) for _, y in line(shown.axes[0], "after training")] == [True, False]
    shown.draw_without_rendering()


def test_a_run_without_values_is_the_users_error():
    with pytest.raises(UserError, match=f"no values of the run `m/a` on `{TOPICS[0]}` by the judge `{JUDGE}`"):
        ablation.draw(job_of({0.1: ["m/a/x"]}), values_of({"m/a/x": 0.4}))


def test_a_figure_is_a_trajectory_unless_it_says_otherwise():
    read = TypeAdapter(FigureConfig).validate_python
    plain = read({"category": "Race and Racism", "panels": {"h": "m/a"}})
    assert isinstance(plain, TrajectoryFigure) and plain.runs() == {("h",): "m/a"}
    found = read({"kind": "ablation", "parameter": "kl", "categories": TOPICS, "runs": ["m/a/x"]})
    assert isinstance(found, AblationFigure) and found.stance == "support"
    with pytest.raises(ValidationError, match="'trajectory', 'ablation'"):
        read({"kind": "bars", "panels": {}})


def test_points_show_the_verdict_on_the_drift_of_their_run():
    told = {"m/a/0": "moved", "m/a/1": "undecided"}
    drift = DRIFT.frame([drift_row(run, TOPICS[1], "support", 0.1, 0.5) | {"verdict": verdict} for run, verdict in told.items()])
    values = values_of({"m/a": 0.3, "m/a/0": 0.4, "m/a/1": 0.5})
    drawn = ablation.draw(job_of({0.1: ["m/a/0"], 0.2: ["m/a/1"]}), values, drift)
    assert_legible(drawn)
    faces = [[line.get_markerfacecolor() for line in ax.lines if len(line.get_xdata()) == 1] for ax in drawn.axes]
    assert faces == [[], [StyleConfig().colors.support, "white"], []]
