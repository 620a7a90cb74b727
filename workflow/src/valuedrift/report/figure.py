"""Stance trajectories: one panel per run, its phases side by side from the base model on (Figures 2-4, 6, 8-11 of the paper)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.figures import FigureJob, Panel, StyleConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT
from valuedrift.report.marks import point, verdict_legend, verdict_of
from valuedrift.report.panels import (
    DIGIT,
    FAINT,
    LABEL_GAP,
    MARKERS,
    SHADES,
    PanelGrid,
    label_axes,
    panel_grid,
    read_values,
    rows_of,
    save,
    values_of,
)

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Floats = npt.NDArray[np.float64]

NUMBERS = ("mean", "low", "high", "band_low", "band_high")
BAND: dict[str, Any] = {"linewidth": 0.5, "linestyle": (0, (1, 1.5)), "label": "simultaneous band"}
NEGLIGIBLE = 0.01
"""Share of flagged responses up to which a figure does not draw it."""


@dataclass(frozen=True)
class Trajectory:
    """The data of one panel."""

    points: pl.DataFrame
    """One row per point and stance: x (in phases; the first is 0 to 1), stance, mean, low, high, band_low, band_high (NaN where
    nothing could be scored), flagged (share of the responses)."""
    start: str
    """Label of the start: "base", "0" if the first phase is the base model's own run, "" if the start was not measured."""
    phases: list[tuple[str, list[int]]]
    """Label of each phase, and its measured steps after the start, ascending."""
    seeds: list[pl.DataFrame] = field(default_factory=list)
    """x, stance and mean of each run of the phases with several seeds."""


def run(*, config: FigureJob, values: list[Path], pdf: Path, png: Path, drift: Path | None = None) -> None:
    """Draw the figure of VALUES tables, with the verdicts of DRIFT if given, as PDF and PNG; equal inputs give equal bytes."""
    verdicts = None if drift is None else DRIFT.read(drift)
    save(draw(config, read_values(values), verdicts), pdf, png, config.style.dpi)


def draw(job: FigureJob, values: pl.DataFrame, drift: pl.DataFrame | None = None) -> "Figure":
    """Return the figure of `job`, one axes per panel in their order; raises UserError for a run without values."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = [trajectory(panel, job.category, job.judge, values) for panel in job.panels]
    flagged = job.style.flagged and any((drawn.points["flagged"] > NEGLIGIBLE).any() for drawn in found)
    banded = job.style.bands and any(drawn.points["band_low"].is_not_nan().any() for drawn in found)
    with panel_grid(len(job.panels), job.columns, job.style) as grid:
        names = _phase_names(found, grid)
        for ax, panel, drawn in zip(grid.axes, job.panels, found, strict=True):
            draw_panel(ax, panel.heading, drawn, names, grid, job.style)
            if banded:
                _draw_bands(ax, drawn, job.style)
            if flagged:
                _draw_flagged(ax, drawn)
            if drift is not None:
                _draw_verdicts(ax, panel, drawn, drift, job, grid)
        label_axes(grid, "training step", "stance probability")
        grid.suptitle(job.category)
        handles = [line for line in grid.axes[0].lines if line.get_label() in (*STANCES, "flagged")]
        seeds = [Line2D([], [], color=FAINT, linewidth=0.5, label="one seed")] if any(drawn.seeds for drawn in found) else []
        bands = [Patch(color=FAINT, alpha=0.3, linewidth=0, label="interval"), Patch(**BAND, facecolor="none", edgecolor=FAINT)]
        grid.legend([*handles, *seeds, *(bands if banded else []), *([] if drift is None else verdict_legend(grid))])
    return grid.figure


def trajectory(panel: Panel, category: str, judge: str, values: pl.DataFrame) -> Trajectory:
    """Return the points of a panel. Phases are equally wide; one begins where the one before ended, so its step 0 is not drawn."""
    measured = [(rows_of if phase.seeds else values_of)(phase.run, category, judge, values) for phase in panel.phases]
    singles = [[values_of(run, category, judge, values) for run in phase.seeds] for phase in panel.phases]
    own = measured[0].filter(pl.col("step") == 0) if measured else pl.DataFrame()
    if own.is_empty():
        own = rows_of(panel.base, category, judge, values).filter(pl.col("step") == 0)
    parts, phases, seeds = [own.with_columns(x=pl.lit(0.0))], [], []
    for number, (phase, found, runs) in enumerate(zip(panel.phases, measured, singles, strict=True)):
        steps = sorted({step for frame in (found, *runs) for step in frame["step"] if step})
        x = number + pl.col("step") / max(steps, default=1)
        parts.append(found.filter(pl.col("step") > 0).with_columns(x=x))
        phases.append((phase.label, steps))
        seeds += [frame.with_columns(x=x) for frame in runs]
    points = pl.concat([part.select("x", "stance", *NUMBERS, "flagged") for part in parts])
    if points.is_empty() and not seeds:
        raise UserError(f"no values of the run `{panel.base}` on `{category}` by the judge `{judge}`: measure it first")
    start = "" if own.is_empty() else "0" if panel.phases and panel.base == panel.phases[0].run else "base"
    return Trajectory(points, start, phases, seeds)


def draw_panel(ax: "Axes", heading: str, drawn: Trajectory, names: str, grid: PanelGrid, style: StyleConfig) -> None:
    """Draw the line of means with markers and band of each stance; a null mean leaves a gap. Phases are shaded and named on top."""
    count = len(drawn.phases)
    for stance in STANCES:
        _draw_stance(ax, stance, drawn, grid, getattr(style.colors, stance))
    for number, (label, _) in enumerate(drawn.phases):
        ax.axvspan(number, number + 1, color=SHADES[number % 2], linewidth=0, zorder=0)
        if number:
            ax.axvline(number, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
        name = names.format(label) if label else ""
        ax.text(number + 0.5, 1.025, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color=FAINT,
                fontsize=grid.size - 1.5)  # fmt: skip
    ax.set(xlim=(-0.03 * count, count * 1.03) if count else (-0.5, 0.5), ylim=(0, 1), yticks=[0, 0.25, 0.5, 0.75, 1])
    grid.title(ax, heading, pad=1.6 if any(label for label, _ in drawn.phases) else 0.6)
    positions, labels = ticks(drawn.start, [steps for _, steps in drawn.phases], grid)
    ax.set_xticks(positions, labels)


def _draw_stance(ax: "Axes", stance: str, drawn: Trajectory, grid: PanelGrid, color: str) -> None:
    points = drawn.points.filter(pl.col("stance") == stance).sort("x")
    x, mean, low, high = (points[name].to_numpy() for name in ("x", "mean", "low", "high"))
    for seed in drawn.seeds:
        line = seed.filter(pl.col("stance") == stance)
        ax.plot(line["x"], line["mean"], color=color, linewidth=0.5, alpha=0.7, clip_on=False, zorder=2.5)
    isolated = _isolated(mean)
    gap = grid.size * 0.5 * max(1, len(drawn.phases)) / grid.panel_points
    ax.plot(x, mean, color=color, marker=MARKERS[stance], markersize=grid.size * 0.36, markevery=_marked(x, mean, isolated, gap),
            linewidth=1.2, label=stance, markeredgecolor="white", markeredgewidth=0.3, clip_on=False, zorder=3)  # fmt: skip
    ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0, zorder=2)
    # A band has no width at a point without neighbours.
    ax.vlines(x[isolated], low[isolated], high[isolated], color=color, alpha=0.5, linewidth=1.2, zorder=2)


def _draw_bands(ax: "Axes", drawn: Trajectory, style: StyleConfig) -> None:
    """Draw the limits that all values of a trajectory keep at once, dotted, since six filled bands would hide each other."""
    for stance in STANCES:
        points = drawn.points.filter(pl.col("stance") == stance).sort("x")
        ax.fill_between(points["x"], points["band_low"], points["band_high"], **BAND, facecolor="none",
                        edgecolor=getattr(style.colors, stance), zorder=1.5)  # fmt: skip


def _draw_verdicts(ax: "Axes", panel: Panel, drawn: Trajectory, drift: pl.DataFrame, job: FigureJob, grid: PanelGrid) -> None:
    """Draw the last point of each phase as the verdict on the phase's drift; none where there is no verdict."""
    for number, phase in enumerate(panel.phases):
        for stance in STANCES:
            verdict = verdict_of(drift, phase.run, job.category, stance, job.judge)
            last = drawn.points.filter(pl.col("stance") == stance, pl.col("x").is_close(number + 1))
            if verdict and not last.is_empty():
                look = point(stance, verdict, getattr(job.style.colors, stance), grid.size * 0.55)
                ax.plot(number + 1, last["mean"].item(), **look, clip_on=False, zorder=4)


def _draw_flagged(ax: "Axes", drawn: Trajectory) -> None:
    """Draw the share of responses that are malformed, refused or unscorable, which is the same for all stances."""
    points = drawn.points.filter(pl.col("stance") == STANCES[0]).sort("x")
    ax.plot(points["x"], points["flagged"], color=FAINT, linewidth=0.9, linestyle=(0, (1, 1.6)), clip_on=False, zorder=3.5,
            label="flagged")  # fmt: skip


def _isolated(mean: "Floats") -> "npt.NDArray[np.bool_]":
    """Return which points have a mean while neither neighbour has one."""
    known: npt.NDArray[np.bool_] = np.pad(np.isfinite(mean), 1)
    return known[1:-1] & ~(known[:-2] | known[2:])


def _marked(x: "Floats", mean: "Floats", isolated: "npt.NDArray[np.bool_]", gap: float) -> list[int]:
    """Return the points that get a marker, since dozens hide the line: the last, isolated ones, others at least `gap` apart."""
    marked: list[int] = []
    for at in np.flatnonzero(np.isfinite(mean))[::-1].tolist():
        if isolated[at] or not marked or x[marked[-1]] - x[at] >= gap:
            marked.append(at)
    return marked[::-1]


def ticks(start: str, phases: list[list[int]], grid: PanelGrid) -> tuple[list[float], list[str]]:
    """Return positions and labels of the ticks: `start`, each phase's last step, and as many measured steps between as fit.

    `phases` has the measured steps of each phase. A phase's last step is its end, where the next phase begins.
    """
    em = (grid.size - 1) / grid.panel_points * max(1, len(phases))  # of the tick labels, in phases
    taken, labels = [0.0], [start]
    for number, steps in enumerate(phases):
        for position, label in _phase_ticks(number, steps, em, taken[-1], labels[-1]):
            taken.append(position)
            labels.append(label)
    return taken, labels


def _phase_ticks(number: int, steps: list[int], em: float, before: float, label: str) -> list[tuple[float, str]]:
    """Return the most evenly spread measured steps, at most five, whose labels touch neither each other nor the one before."""
    if not steps:
        return []
    for parts in (5, 4, 3, 2, 1):
        wanted = [min(steps, key=lambda step: abs(step - steps[-1] * k / parts)) for k in range(1, parts + 1)]
        found = [(number + step / steps[-1], str(step)) for step in sorted(set(wanted))]
        chain = [(before, label), *found]
        gaps = [b - a - em * (DIGIT * (len(m) + len(n)) / 2 + LABEL_GAP) for (a, m), (b, n) in zip(chain, found, strict=False)]
        if len(found) == parts and min(gaps) >= 0:
            return found
    return found


def _phase_names(panels: list[Trajectory], grid: PanelGrid) -> str:
    """Return the format of phase names: `{} training`, or `{}` in the whole figure if any phase is too narrow for both words."""
    widest = max((len(f"{label} training") * len(panel.phases) for panel in panels for label, _ in panel.phases), default=0)
    return "{} training" if widest * 0.53 * (grid.size - 1.5) <= grid.panel_points else "{}"
