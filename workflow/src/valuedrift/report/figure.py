"""Stance trajectories: one panel a run, its phases side by side from the base model on (Figures 2-4, 6, 8-14 of the paper)."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import FigureJob, Panel, StyleConfig
from valuedrift.errors import UserError
from valuedrift.frames import VALUES, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"support": "o", "neutral": "s", "oppose": "^"}
"""The stances differ in shape too, for print in grey and for readers who do not tell red from green."""
GRID = {1: 1, 2: 2, 3: 3, 4: 2}
"""Panels → columns; three columns for more. Three panels of the default width are as wide as a page's text."""
SHADES = ("#f3f3f3", "#ffffff")
INK, FAINT = "#222222", "#666666"
DIGIT = 0.64
"""Width of a digit of DejaVu Sans, in ems."""
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "pdf.fonttype": 42,  # publishers reject Type 3
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "text.color": INK,
    "text.parse_math": False,  # a heading may hold a $
}


@dataclass(frozen=True)
class Trajectory:
    """What one panel draws: a row for each point and stance, and the measured steps of each phase."""

    points: pl.DataFrame
    """x (phases; the first one is 0 to 1), stance, mean, low, high (probabilities, may be null)."""
    phases: list[tuple[str, list[int]]]
    """Label and measured steps after the start, ascending, of each phase."""


def run(*, config: FigureJob, values: list[Path], pdf: Path, png: Path) -> None:
    """Draw the figure of VALUES tables as PDF and PNG; equal inputs give equal bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    # The same table may be given twice, as the parent of two runs.
    frame = VALUES.check(pl.concat([VALUES.read(path) for path in values]).unique(maintain_order=True), "the figure's values")
    drawn = draw(config, frame)
    with mpl.rc_context(RC), replacing(pdf) as scratch:  # fonts are embedded when the figure is saved
        drawn.savefig(scratch, format="pdf", metadata={"CreationDate": None})
    with mpl.rc_context(RC), replacing(png) as scratch:
        drawn.savefig(scratch, format="png", dpi=config.style.dpi, metadata={"Software": None})


def draw(job: FigureJob, values: pl.DataFrame) -> "Figure":
    """The figure of `job`, one axes a panel in the order of the panels; raises UserError where a run of it has no values."""
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    style, count = job.style, len(job.panels)
    columns = GRID.get(count, 3)
    rows = -(-count // columns)
    size = style.font_size
    fonts = {"font.size": size, "axes.labelsize": size, "xtick.labelsize": size - 1, "ytick.labelsize": size - 1}
    with sns.axes_style("ticks"), mpl.rc_context(RC | fonts):
        layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.06, hspace=0.03, wspace=0.03)
        figure = Figure(figsize=(columns * style.panel_width + 0.3, rows * style.panel_height + 0.5), layout=layout)
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
        for place, ax in enumerate(axes):
            if place >= count:
                ax.set_visible(False)
                continue
            draw_panel(ax, job.panels[place].heading, trajectory(job.panels[place], job.category, job.judge, values), style)
            if place % columns == 0:
                ax.set_ylabel("stance probability")
            if place + columns >= count:
                ax.set_xlabel("training step")
        sns.despine(figure)
        _label(figure, job.category, style)
    return figure


def trajectory(panel: Panel, category: str, judge: str, values: pl.DataFrame) -> Trajectory:
    """The points of a panel. Phases are equally wide; a phase begins where the one before it ended, so its step 0 is not drawn."""
    chosen = values.filter((pl.col("category") == category) & (pl.col("judge") == judge))
    by_run = {run: chosen.filter(pl.col("run") == run) for run in [panel.base, *(p.run for p in panel.phases)]}
    for run, frame in by_run.items():
        if run != panel.base and frame.is_empty():
            raise UserError(f"no values of the run `{run}` on `{category}` by the judge `{judge}`: measure it first")
    first = by_run[panel.phases[0].run] if panel.phases else by_run[panel.base]
    start = first.filter(pl.col("step") == 0)
    start = by_run[panel.base].filter(pl.col("step") == 0) if start.is_empty() else start
    parts, phases = [start.with_columns(x=pl.lit(0.0))], []
    for number, phase in enumerate(panel.phases):
        later = by_run[phase.run].filter(pl.col("step") > 0).sort("step")
        steps = later["step"].unique().sort().to_list()
        parts.append(later.with_columns(x=number + pl.col("step") / max(steps, default=1)))
        phases.append((phase.label, steps))
    points = pl.concat(parts).select("x", "stance", "mean", "low", "high")
    if points.is_empty():
        raise UserError(f"no values of the run `{panel.base}` on `{category}` by the judge `{judge}`: measure it first")
    return Trajectory(points, phases)


def draw_panel(ax: "Axes", heading: str, shown: Trajectory, style: StyleConfig) -> None:
    """Mean line with markers and band of each stance; a null mean leaves a gap. Phases are shaded in turn and named on top."""
    count = len(shown.phases)
    for stance in STANCES:
        points = (
            shown.points.filter(pl.col("stance") == stance)
            .sort("x")
            .with_columns(pl.col("mean", "low", "high").fill_null(float("nan")))
        )
        x, mean, low, high = (points[name].to_numpy() for name in ("x", "mean", "low", "high"))
        color = getattr(style.colors, stance)
        ax.plot(x, mean, color=color, marker=MARKERS[stance], markersize=style.font_size * 0.36, linewidth=1.2, label=stance,
                markeredgecolor="white", markeredgewidth=0.3, clip_on=False, zorder=3)  # fmt: skip
        if len(points) > 1:
            ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0, zorder=2)
        else:  # a band has no width at a single point
            ax.vlines(x, low, high, color=color, alpha=0.5, linewidth=1.2, zorder=2)
    for number, (label, _) in enumerate(shown.phases):
        ax.axvspan(number, number + 1, color=SHADES[number % 2], linewidth=0, zorder=0)
        if number:
            ax.axvline(number, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
        name = _phase_label(label, count, style)
        ax.text(number + 0.5, 1.025, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color=FAINT,
                fontsize=style.font_size - 1.5)  # fmt: skip
    ax.set(xlim=(-0.03 * count, count * 1.03) if count else (-0.5, 0.5), ylim=(0, 1), yticks=[0, 0.25, 0.5, 0.75, 1])
    width = max(1, int(_room(style) / (style.font_size * 0.62)))  # bold letters are about 0.62 em wide
    ax.set_title(textwrap.fill(heading, width), fontsize=style.font_size, fontweight="bold", pad=style.font_size * 1.6)
    positions, labels = ticks([steps for _, steps in shown.phases], style)
    ax.set_xticks(positions, labels)


def ticks(phases: list[list[int]], style: StyleConfig) -> tuple[list[float], list[str]]:
    """Positions and labels of the ticks: "base", each phase's last step, and as many measured steps between as fit.

    `phases` holds the measured steps of each phase. A phase's last step marks its end, where the next phase begins.
    """
    em = (style.font_size - 1) / _room(style)  # as a share of the panel
    unit = em * max(1, len(phases))  # the same in phases
    taken, labels = [0.0], ["base"]
    for number, steps in enumerate(phases):
        for position, label in _phase_ticks(number, steps, unit, taken[-1], labels[-1]):
            taken.append(position)
            labels.append(label)
    return taken, labels


def _phase_ticks(number: int, steps: list[int], unit: float, before: float, label: str) -> list[tuple[float, str]]:
    """The most evenly spread measured steps, at most five, whose labels do not touch each other or the one before."""
    if not steps:
        return []
    for parts in (5, 4, 3, 2, 1):
        wanted = [min(steps, key=lambda step: abs(step - steps[-1] * k / parts)) for k in range(1, parts + 1)]
        found = [(number + step / steps[-1], str(step)) for step in sorted(set(wanted))]
        chain = [(before, label), *found]
        gaps = [b - a - unit * (DIGIT * (len(m) + len(n)) / 2 + 0.7) for (a, m), (b, n) in zip(chain, found, strict=False)]
        if len(found) == parts and min(gaps) >= 0:
            return found
    return found


def _phase_label(label: str, phases: int, style: StyleConfig) -> str:
    """`SFT training`, or only `SFT` where a phase is too narrow for both words."""
    full = f"{label} training"
    return full if len(full) * 0.58 * (style.font_size - 1.5) <= _room(style) / phases else label


def _room(style: StyleConfig) -> float:
    """Points that a panel's axes are wide, about: 0.8 of the panel, the rest goes to labels and gaps."""
    return style.panel_width * 72 * 0.8


def _label(figure: "Figure", category: str, style: StyleConfig) -> None:
    """The category over the panels and one legend of the stances under them."""
    width = max(1, int(figure.get_figwidth() * 72 / (style.font_size * 0.66)))
    figure.suptitle(textwrap.fill(category, width), fontsize=style.font_size + 1)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=style.font_size, handlelength=1.6,
                  columnspacing=1.4, borderpad=0.1)  # fmt: skip
