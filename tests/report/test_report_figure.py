from math import isnan

import polars as pl
import pytest
from report_world import BASE, JUDGE, PO, SFT, assert_legible, drift_row, figure_job, panel, values_row

from valuedrift.config.base import STANCES
from valuedrift.config.figures import Panel, PhaseOfPanel, StyleConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT, VALUES
from valuedrift.report import figure
from valuedrift.report.panels import panel_grid, read_values

DPO = "llama/wildchat/dpo-synthetic-support"
CATEGORY = "Immigration Policies"


def values_of(*rows):
    """VALUES of (run, step, stance, mean[, low, high])."""
    return VALUES.frame([values_row(run, step, CATEGORY, stance, *numbers) for run, step, stance, *numbers in rows])


def drawn(values, *panels, style=None):
    return figure.draw(figure_job(*panels, category=CATEGORY, style=style), values)


def lines(ax):
    """Stance → points of its line."""
    return {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in ax.lines if line.get_label() in STANCES}


def means(values, run, stance, steps):
    rows = values.filter((pl.col("run") == run) & (pl.col("category") == CATEGORY) & (pl.col("stance") == stance))
    found = dict(zip(rows["step"], rows["mean"], strict=True))
    return [found[step] for step in steps]


def test_a_panel_shows_the_lineage_from_the_base_model(world):
    values = world.values_frame()
    ax = drawn(values, panel(DPO)).axes[0]
    sft, dpo = SFT["llama/wildchat"], PO[DPO][1:]
    for stance in STANCES:
        x, y = zip(*lines(ax)[stance], strict=True)
        assert list(x) == pytest.approx([step / 5500 for step in sft] + [1 + step / 888 for step in dpo])
        assert list(y) == means(values, "llama/wildchat", stance, sft) + means(values, DPO, stance, dpo)


def test_bands_are_low_and_high():
    values = values_of(("m/base", 0, "support", 0.5, 0.4, 0.7), ("m/sft", 10, "support", 0.6, 0.55, 0.8))
    shown = Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/sft", label="SFT")])
    ax = drawn(values, shown).axes[0]
    band = ax.collections[0].get_paths()[0].vertices.round(6).tolist()
    assert {tuple(point) for point in band} == {(0.0, 0.4), (0.0, 0.7), (1.0, 0.55), (1.0, 0.8)}
    # The base model's step 0 is the start, since the run has no step 0 of its own.
    assert lines(ax)["support"] == [(0.0, 0.5), (1.0, 0.6)]


def test_simultaneous_bands_are_dotted_around_the_intervals_and_named():
    rows = [
        values_row("m/sft", step, CATEGORY, stance, 0.3) | {"band_low": 0.1, "band_high": 0.5}
        for step in (0, 9)
        for stance in STANCES
    ]
    shown = Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/sft", label="SFT")])
    figure = drawn(VALUES.frame(rows), shown)
    dotted = [c for c in figure.axes[0].collections if c.get_label() == "simultaneous band"]
    assert len(dotted) == 3
    assert {(0.0, 0.1), (1.0, 0.5)} <= {tuple(point) for point in dotted[0].get_paths()[0].vertices.round(6).tolist()}
    assert [t.get_text() for t in figure.legends[0].get_texts()][-2:] == ["interval", "simultaneous band"]
    assert_legible(figure)
    for other in (
        drawn(VALUES.frame(rows), shown, style=StyleConfig(bands=False)),
        drawn(values_of(("m/sft", 0, "support", 0.5)), shown),
    ):
        assert "simultaneous band" not in [t.get_text() for t in other.legends[0].get_texts()]
        assert not [c for c in other.axes[0].collections if c.get_label() == "simultaneous band"]


def test_a_phase_begins_where_the_one_before_it_ended():
    steps = (("m/base", 0, 0.1), ("m/a", 0, 0.1), ("m/a", 4, 0.3), ("m/a/b", 0, 0.9), ("m/a/b", 1, 0.5), ("m/a/b", 2, 0.6))
    values = values_of(*((run, step, stance, mean) for run, step, mean in steps for stance in STANCES))
    shown = Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/a", label="SFT"), PhaseOfPanel(run="m/a/b", label="DPO")])
    ax = drawn(values, shown).axes[0]
    assert lines(ax)["oppose"] == [(0.0, 0.1), (1.0, 0.3), (1.5, 0.5), (2.0, 0.6)]
    assert [(t.get_text(), x) for t, x in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)] == [
        ("base", 0), ("4", 1), ("1", 1.5), ("2", 2),
    ]  # fmt: skip
    assert [(t.get_text(), t.get_position()[0]) for t in ax.texts] == [("SFT training", 0.5), ("DPO training", 1.5)]


def test_frame_of_every_panel(world):
    shown = drawn(world.values_frame(), *(panel(run, f"{n}. $a_b") for n, run in enumerate(PO)))
    visible = [ax for ax in shown.axes if ax.get_visible()]
    assert [ax.get_title() for ax in visible] == [f"{n}. $a_b" for n in range(6)]
    assert {ax.get_ylim() for ax in visible} == {(0.0, 1.0)}
    assert [ax.get_ylabel() for ax in visible] == ["stance probability", "", ""] * 2
    assert [ax.get_xlabel() for ax in visible] == [""] * 3 + ["training step"] * 3
    assert [t.get_text() for t in shown.legends[0].get_texts()] == [*STANCES, "flagged"]
    assert all(ax.get_legend() is None for ax in visible)
    assert shown.get_suptitle() == CATEGORY


@pytest.mark.parametrize(
    ("count", "asked", "rows", "columns"),
    [(1, None, 1, 1), (2, None, 1, 2), (3, None, 1, 3), (4, None, 2, 2), (5, None, 2, 3), (6, None, 2, 3), (3, 1, 3, 1), (3, 2, 2, 2), (3, 4, 1, 3)],
)  # fmt: skip
def test_a_grid_is_as_large_as_its_panels(count, asked, rows, columns):
    with panel_grid(count, asked, StyleConfig(panel_width=2, panel_height=1.5, page_width=9)) as grid:
        pass
    assert grid.figure.get_size_inches().tolist() == pytest.approx([2 * columns + 0.3, 1.5 * rows + 0.5])
    assert len(grid.axes) == sum(ax.get_visible() for ax in grid.figure.axes) == count


def test_a_grid_is_not_wider_than_the_page():
    with panel_grid(3, None, StyleConfig(panel_width=2, page_width=5.5)) as grid:
        pass
    assert grid.figure.get_figwidth() == 5.5


def test_colors_are_the_studys(world):
    colors = {"support": "#000001", "neutral": "#000002", "oppose": "#000003"}
    ax = drawn(world.values_frame(), panel(DPO), style=StyleConfig(colors=colors)).axes[0]
    assert {line.get_label(): line.get_color() for line in ax.lines if line.get_label() in STANCES} == colors


def flagged_lines(shown):
    return [list(line.get_ydata()) for ax in shown.axes for line in ax.lines if line.get_label() == "flagged"]


def test_the_share_of_flagged_responses_is_drawn_in_every_panel_once_one_has_more_than_a_few():
    shares = {
        "m/a": {"malformed": 0.25, "refused": 0.125, "unscorable": 0.0},
        "m/b": {"malformed": 0.0, "refused": 0.0, "unscorable": 0.01},
    }
    rows = [values_row(run, step, CATEGORY, s, 0.3) | share for run, share in shares.items() for step in (0, 9) for s in STANCES]
    panels = {run: Panel(heading="h", base=run, phases=[PhaseOfPanel(run=run, label="SFT")]) for run in shares}
    shown = drawn(VALUES.frame(rows), *panels.values())
    assert flagged_lines(shown) == [[0.375] * 2, [0.01] * 2]
    assert [t.get_text() for t in shown.legends[0].get_texts()] == [*STANCES, "flagged"]
    assert_legible(shown)
    for quiet in (
        drawn(VALUES.frame(rows), panels["m/b"]),
        drawn(VALUES.frame(rows), *panels.values(), style=StyleConfig(flagged=False)),
    ):
        assert flagged_lines(quiet) == []
        assert [t.get_text() for t in quiet.legends[0].get_texts()] == list(STANCES)


def test_null_means_leave_a_gap():
    points = {0: 0.2, 1: 0.3, 2: None, 3: 0.5}
    values = values_of(
        *(("m/base", 0, s, 0.2) for s in STANCES), *(("m/a", step, s, m) for step, m in points.items() for s in STANCES)
    )
    shown = drawn(values, Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/a", label="SFT")]))
    ys = [y for _, y in lines(shown.axes[0])["neutral"]]
    assert [isnan(y) for y in ys] == [False, False, True, False]
    # The band has no width at the last point, which stands alone.
    assert shown.axes[0].collections[-1].get_segments()[0].round(6).tolist() == [[1, 0.45], [1, 0.55]]
    shown.draw_without_rendering()


@pytest.mark.parametrize("mean", [0.4, None])
def test_a_single_checkpoint_is_drawn_with_its_interval(mean):
    values = values_of(*(("m/base", 0, s, mean) for s in STANCES))
    shown = drawn(values, Panel(heading="h", base="m/base", phases=[]))
    ax = shown.axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["base"]
    assert [len(points) for points in lines(ax).values()] == [1, 1, 1]
    if mean:
        assert ax.collections[-1].get_segments()[0].round(6).tolist() == [[0, 0.35], [0, 0.45]]
    shown.draw_without_rendering()


def test_a_phase_that_is_not_measured_beyond_its_start_is_drawn():
    values = values_of(*((run, 0, s, 0.4) for run in ("m/base", "m/a") for s in STANCES))
    shown = drawn(values, Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/a", label="SFT")]))
    assert [t.get_text() for t in shown.axes[0].get_xticklabels()] == ["base"]
    shown.draw_without_rendering()


def test_other_judges_and_categories_stay_out(world):
    values = world.values_frame()
    other = values.with_columns(pl.lit("other").alias("judge"), pl.col("mean") / 2)
    assert lines(drawn(pl.concat([other, values]), panel(DPO)).axes[0]) == lines(drawn(values, panel(DPO)).axes[0])


def test_a_run_without_values_is_the_users_error(world):
    values = world.values_frame().filter(pl.col("run") != DPO)
    with pytest.raises(UserError, match=f"no values of the run `{DPO}` on `{CATEGORY}` by the judge `{JUDGE}`"):
        drawn(values, panel(DPO))
    with pytest.raises(UserError, match=f"no values of the run `{BASE}`"):
        drawn(values.filter(~pl.col("run").is_in([BASE])), panel(BASE))


PHASES = [
    [[5500]],
    [list(range(500, 5501, 500)), [*range(100, 900, 100), 888]],
    [list(range(500, 60001, 500)), list(range(400, 57100, 400)), list(range(100, 10000, 100))],
    [[1, 2, 3, 4000], [1, 123456]],
    [[100, 200], [], [7]],
]


def test_ticks_are_measured_steps_and_do_not_touch():
    rows, panels = [], []
    for p, phases in enumerate(PHASES):
        rows += [(f"m/{p}-{n}", step, s, 0.3) for n, steps in enumerate(phases) for step in [0, *steps] for s in STANCES]
        panels.append(
            Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run=f"m/{p}-{n}", label="SimPO") for n in range(len(phases))])
        )
    shown = drawn(values_of(*rows), *panels)
    assert_legible(shown)
    for ax, phases in zip(shown.axes, PHASES, strict=False):
        drawn_ticks = [(x, t.get_text()) for x, t in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)]
        assert drawn_ticks[0] == (0, "base")
        real = {number + step / steps[-1]: str(step) for number, steps in enumerate(phases) for step in steps}
        assert all(real[x] == label for x, label in drawn_ticks[1:])
        assert {number + 1 for number, steps in enumerate(phases) if steps} <= {x for x, _ in drawn_ticks}


@pytest.mark.parametrize("gaps", [(), (100, 300)])
def test_of_many_points_some_are_marked_and_those_that_stand_alone_always(gaps):
    steps = range(0, 5701, 100)
    values = values_of(*(("m/a", step, s, None if step in gaps else 0.3) for step in steps for s in STANCES))
    ax = drawn(values, Panel(heading="h", base="m/base", phases=[PhaseOfPanel(run="m/a", label="PPO")])).axes[0]
    marked = next(line for line in ax.lines if line.get_label() == "support").get_markevery()
    assert 15 < len(marked) < 45 and marked[-1] == 57
    assert not {step // 100 for step in gaps} & set(marked)
    assert not gaps or {0, 2} <= set(marked)


def test_one_wording_of_the_phases_in_a_figure(world):
    run = next(run for run in PO if "simpo" in run)
    for columns, expected in ((2, {"SFT training", "DPO training", "SimPO training"}), (4, {"SFT", "DPO", "SimPO"})):
        job = figure_job(*(panel(r) for r in (DPO, run, DPO, run)), columns=columns)
        shown = figure.draw(job, world.values_frame())
        assert {text.get_text() for ax in shown.axes for text in ax.texts} == expected


def test_an_external_run_starts_at_its_own_step_0_and_has_no_name():
    values = values_of(*(("p", step, s, 0.3) for step in (0, 512, 1000, 71000, 143000) for s in STANCES))
    shown = drawn(values, Panel(heading="Pythia", base="p", phases=[PhaseOfPanel(run="p", label="")]))
    ax = shown.axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "71000", "143000"]
    assert [t.get_text() for t in ax.texts] == [""]
    assert lines(ax)["support"][0] == (0, 0.3)
    assert_legible(shown)


def test_a_start_that_was_not_measured_has_no_label():
    values = values_of(*(("p", step, s, 0.3) for step in (1000, 2000) for s in STANCES))
    ax = drawn(values, Panel(heading="h", base="p", phases=[PhaseOfPanel(run="p", label="")])).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["", "1000", "2000"]
    assert lines(ax)["support"] == [(0.5, 0.3), (1.0, 0.3)]


def test_values_given_twice_count_once(world):
    assert read_values(world.values * 2).equals(read_values(world.values))


def test_each_phase_ends_in_the_verdict_on_its_drift(world):
    """Filled where a drift moved, half filled where it is preserved, empty where neither is shown."""
    run = next(iter(PO))
    told = {("llama/wildchat", "support"): "moved", (run, "support"): "undecided", (run, "neutral"): "preserved"}
    rows = [drift_row(r, CATEGORY, s, 0.1, 0.5) | {"verdict": verdict} for (r, s), verdict in told.items()]
    rows.append(drift_row(run, "Race and Racism", "oppose", 0.1, 0.5) | {"verdict": "moved"})
    drawn = figure.draw(figure_job(panel(run), category=CATEGORY), world.values_frame(), DRIFT.frame(rows))
    assert_legible(drawn)
    looks = [(line.get_xdata()[0], line.get_marker(), line.get_fillstyle(), line.get_markerfacecolor()) for line in drawn.axes[0].lines
             if len(line.get_xdata()) == 1]  # fmt: skip
    green, grey = StyleConfig().colors.support, StyleConfig().colors.neutral
    assert looks == [(1, "o", "full", green), (2, "o", "full", "white"), (2, "s", "left", grey)]
    assert [text.get_text() for text in drawn.legends[0].get_texts()][-3:] == ["moved", "preserved", "undecided"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_longest_legend_fits_under_the_panels(world, count):
    run = next(iter(PO))
    banded = world.values_frame().with_columns(band_low=pl.col("low") / 2, band_high=(pl.col("high") + 1) / 2)
    drift = DRIFT.frame([drift_row(run, CATEGORY, "support", 0.1, 0.5) | {"verdict": "moved"}])
    drawn = figure.draw(figure_job(*[panel(run)] * count, category=CATEGORY), banded, drift)
    assert_legible(drawn)
    assert len(drawn.legends[0].get_texts()) == 9
