"""One stance at the end of training against a training parameter, one panel per category (Figures 12-14 of the paper).

The last checkpoints are drawn rather than whole trajectories: the question is how much the parameter changes the outcome, and of
one trajectory per value the reader would have to compare the ends.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from valuedrift.config.figures import AblationJob
from valuedrift.io.tables import DRIFT
from valuedrift.report.marks import point as verdict_point
from valuedrift.report.marks import verdict_legend, verdict_of
from valuedrift.report.panels import (
    DIGIT,
    FAINT,
    INK,
    LABEL_GAP,
    MARKERS,
    PanelGrid,
    label_axes,
    panel_grid,
    read_values,
    save,
    values_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"kl": "KL coefficient", "beta": "β", "gamma": "γ", "share": "share of synthetic pairs"}
"""Parameter → its label on the axis; others are labelled with their key."""
LOGARITHMIC = 10
"""The axis is logarithmic if the largest positive value is more than LOGARITHMIC times the smallest."""


@dataclass(frozen=True)
class Outcome:
    """The stance at the end of training under one value of the parameter."""

    value: float
    mean: float
    low: float
    high: float
    """Probabilities; NaN where nothing could be scored."""
    seeds: list[float]
    """The mean of each seed, where there are several."""
    verdict: str | None = None
    """Of its drift; None where there is none."""


def run(*, config: AblationJob, values: list[Path], pdf: Path, png: Path, drift: Path | None = None) -> None:
    """Draw the figure of VALUES tables, with the verdicts of DRIFT if given, as PDF and PNG; equal inputs give equal bytes."""
    verdicts = None if drift is None else DRIFT.read(drift)
    save(draw(config, read_values(values), verdicts), pdf, png, config.style.dpi)


def draw(job: AblationJob, values: pl.DataFrame, drift: pl.DataFrame | None = None) -> "Figure":
    """Return the figure of `job`, one panel per category; raises UserError for a run without values."""
    points = sorted(job.points, key=lambda point: point.value)
    places = positions([point.value for point in points])
    with panel_grid(len(job.categories), None, job.style) as grid:
        for ax, category in zip(grid.axes, job.categories, strict=True):
            outcomes = [outcome(point.value, [point.run, *point.seeds], category, job, values) for point in points]
            if drift is not None:
                verdicts = [verdict_of(drift, point.run, category, job.stance, job.judge) for point in points]
                outcomes = [replace(found, verdict=verdict) for found, verdict in zip(outcomes, verdicts, strict=True)]
            before = outcome(math.nan, [job.parent], category, job, values)
            _draw_panel(ax, outcomes, before, places, grid, job)
            grid.title(ax, category, pad=0.6)
        label_axes(grid, NAMES.get(job.parameter, job.parameter), f"{job.stance} probability")
        handles = grid.axes[0].get_legend_handles_labels()[0]
        grid.legend([*handles, *([] if drift is None else verdict_legend(grid))])
    return grid.figure


def outcome(value: float, runs: list[str], category: str, job: AblationJob, values: pl.DataFrame) -> Outcome:
    """Return the job's stance at the last checkpoint of the first of `runs`, and of each of its seeds, the others."""
    found = [values_of(run, category, job.judge, values) for run in runs]
    end, *seeds = (rows.filter(pl.col("stance") == job.stance).row(-1, named=True) for rows in found)
    return Outcome(value, end["mean"], end["low"], end["high"], [seed["mean"] for seed in seeds])


def positions(values: list[float]) -> list[float]:
    """Return positions of ascending values on the axis: the values, or their log10 if they span more than LOGARITHMIC.

    With logarithms, a 0 lies one average step, at least a third of a decade, before the smallest of them.
    """
    positive = [value for value in values if value > 0]
    if min(values) < 0 or not positive or positive[-1] <= LOGARITHMIC * positive[0]:
        return values
    logs = [math.log10(value) for value in positive]
    return [logs[0] - max(1 / 3, (logs[-1] - logs[0]) / (len(logs) - 1))] * (len(values) - len(positive)) + logs


def _draw_panel(
    ax: "Axes", outcomes: list[Outcome], before: Outcome, places: list[float], grid: PanelGrid, job: AblationJob
) -> None:
    """Draw the points with their intervals, the parent run as a dashed line with its band, and each of several seeds as a dot."""
    color = getattr(job.style.colors, job.stance)
    margin = (places[-1] - places[0] or 1) * 0.08
    ends = places[0] - margin, places[-1] + margin
    ax.fill_between(ends, before.low, before.high, color=FAINT, alpha=0.15, linewidth=0, zorder=0)
    ax.axhline(before.mean, color=FAINT, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1, label="before training")
    if places[0] != outcomes[0].value == 0:  # logarithms have no 0: no line leads from its point to the others
        ax.text((places[0] + places[1]) / 2, 0, "//", ha="center", va="center", fontsize=grid.size, color=FAINT, zorder=6)
        ax.plot(places[1:], [o.mean for o in outcomes[1:]], color=color, linewidth=1.2, zorder=2)
    else:
        ax.plot(places, [o.mean for o in outcomes], color=color, linewidth=1.2, zorder=2)
    ax.vlines(places, [o.low for o in outcomes], [o.high for o in outcomes], color=color, alpha=0.5, linewidth=1.6, zorder=2)
    ax.plot(places, [o.mean for o in outcomes], color=color, marker=MARKERS[job.stance], markersize=grid.size * 0.5, linestyle="",
            markeredgecolor="white", markeredgewidth=0.3, clip_on=False, zorder=4, label="after training")  # fmt: skip
    for x, o in zip(places, outcomes, strict=True):
        if o.verdict:
            ax.plot(x, o.mean, **verdict_point(job.stance, o.verdict, color, grid.size * 0.55), clip_on=False, zorder=4.5)
    seeds = [(x, mean) for x, o in zip(places, outcomes, strict=True) for mean in o.seeds]
    if seeds:
        ax.plot(*zip(*seeds, strict=True), color=INK, marker=".", markersize=grid.size * 0.25, linestyle="", clip_on=False,
                zorder=5, label="one seed")  # fmt: skip
    ax.set(xlim=ends, ylim=(0, 1), yticks=[0, 0.25, 0.5, 0.75, 1])
    labels, upright = tick_labels([o.value for o in outcomes], places, grid)
    ax.set_xticks(places, labels, rotation=90 if upright else 0)


def tick_labels(values: list[float], places: list[float], grid: PanelGrid) -> tuple[list[str], bool]:
    """Return the labels of the values, and whether they must be upright not to touch; the later of two that still touch is ""."""
    em = (grid.size - 1) * ((places[-1] - places[0]) or 1) * 1.16 / grid.panel_points
    labels = [f"{value:g}" for value in values]
    if all(_fitting(places, [em * DIGIT * (len(label) - label.count(".") / 2) for label in labels], em)):
        return labels, False
    return [label if fits else "" for label, fits in zip(labels, _fitting(places, [em] * len(places), em), strict=True)], True


def _fitting(places: list[float], widths: list[float], em: float) -> list[bool]:
    """Return for each label whether it keeps LABEL_GAP from the last one that does."""
    found, end = [], -math.inf
    for place, width in zip(places, widths, strict=True):
        found.append(place - width / 2 >= end + em * LABEL_GAP)
        end = place + width / 2 if found[-1] else end
    return found
