"""Forest plots of contrasts."""

from itertools import pairwise

import numpy as np
import pytest
from report_world import CATEGORIES, assert_legible

from valuedrift.config.base import STANCES
from valuedrift.config.figures import ForestJob, StyleConfig
from valuedrift.io.columns import CONTRAST_VERDICTS
from valuedrift.io.tables import CONTRASTS
from valuedrift.report import forest

JOB = ForestJob(of="value", margin=0.05, columns=None, style=StyleConfig())


def row(pair="b less a", category=CATEGORIES[0], stance="support", difference=0.2, half=0.1, verdict="different"):
    known = {"difference": difference, "low": difference - half, "high": difference + half, "verdict": verdict} if verdict else {}
    return {"pair": pair, "category": category, "stance": stance, "first": 0.3, "second": 0.5, "prompts": 50, "seeds": 1, **known}


def contrast(pairs):
    """CONTRASTS of this many pairs, all categories and stances, differences up to ±.9."""
    drawn = np.random.default_rng(0)
    return CONTRASTS.frame([
        row(f"Pair {n} of an algorithm, support less oppose", category, stance, float(drawn.uniform(-0.9, 0.9)), 0.1,
            str(drawn.choice(CONTRAST_VERDICTS)))
        for n in range(pairs) for category in CATEGORIES for stance in STANCES
    ])  # fmt: skip


@pytest.mark.parametrize(("pairs", "of"), [(1, "value"), (2, "value"), (6, "value"), (3, "drift")])
def test_every_category_has_its_three_points_and_no_text_touches_another(pairs, of):
    drawn = forest.draw(JOB.model_copy(update={"of": of}), contrast(pairs))
    assert_legible(drawn)
    axes = [ax for ax in drawn.axes if ax.get_visible()]
    assert len(axes) == pairs and len({ax.get_xlim() for ax in axes}) == 1
    names = [label.get_window_extent() for label in axes[0].get_yticklabels()]
    assert [label.get_text().replace("\n", " ") for label in axes[0].get_yticklabels()] == CATEGORIES
    assert all(lower.y1 < upper.y0 for upper, lower in pairwise(names))
    for ax in axes:
        assert len([line for line in ax.lines if line.get_marker() in "os^"]) == 3 * len(CATEGORIES)
    legend = drawn.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= drawn.bbox.width


def test_a_points_shape_is_its_stance_and_its_filling_its_verdict():
    rows = [row(stance=stance, verdict=verdict) for stance, verdict in zip(STANCES, CONTRAST_VERDICTS, strict=True)]
    ax = forest.draw(JOB, CONTRASTS.frame(rows)).axes[0]
    points = [line for line in ax.lines if line.get_marker() in "os^"]
    assert [point.get_marker() for point in points] == ["o", "s", "^"]
    filled = [(point.get_fillstyle(), point.get_markerfacecolor() == point.get_color()) for point in points]
    assert filled == [("full", True), ("left", True), ("full", False)]
    ends = [segment.round(6).tolist() for lines in ax.collections for segment in lines.get_segments()]
    assert [[a[0], b[0]] for a, b in ends] == [[0.1, 0.3]] * 3


def test_what_was_not_measured_leaves_its_place_empty():
    rows = [row(), row(category=CATEGORIES[1], verdict=None)]
    ax = forest.draw(JOB, CONTRASTS.frame(rows)).axes[0]
    assert [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()] == CATEGORIES[:2]
    assert len([line for line in ax.lines if line.get_marker() in "os^"]) == 1


def test_equal_tables_give_equal_files(tmp_path):
    CONTRASTS.write(contrast(2), tmp_path / "c.parquet")
    for name in "ab":
        forest.run(config=JOB, contrast=tmp_path / "c.parquet", pdf=tmp_path / f"{name}.pdf", png=tmp_path / f"{name}.png")
    assert all((tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes() for kind in ("pdf", "png"))
