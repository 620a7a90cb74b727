"""A forest plot of a contrast: one panel per pair, and each category's three differences with their intervals."""

import itertools
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.figures import ForestJob
from valuedrift.io.columns import CONTRAST_VERDICTS
from valuedrift.io.tables import CONTRASTS
from valuedrift.report.marks import point
from valuedrift.report.panels import FAINT, INK, SHADES, PanelGrid, label_axes, panel_grid, save

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 0.55
"""Ems of a point."""
ROW = 0.34
"""Inches of a category."""
APART = 0.27
"""Rows between two stances of a category."""
LONGEST = 22
"""Letters of a category's name in a line."""
ALONE = 1.5
"""How much wider a panel is that has the page for itself."""
LABELS = {"value": "difference in probability", "drift": "difference of drifts"}


def run(*, config: ForestJob, contrast: Path, pdf: Path, png: Path) -> None:
    """Draw CONTRASTS as PDF and PNG; equal inputs give equal bytes."""
    save(draw(config, CONTRASTS.read(contrast)), pdf, png, config.style.dpi)


def draw(job: ForestJob, contrast: pl.DataFrame) -> "Figure":
    """Return the figure, its panels in the order of the contrast's pairs and its rows in that of the categories."""
    pairs, categories = (contrast[name].unique(maintain_order=True).to_list() for name in ("pair", "category"))
    names = ["\n".join(textwrap.wrap(name, LONGEST)) for name in categories]
    labels = 0.5 * (job.style.font_size - 1) / 72 * max(len(line) for name in names for line in name.split("\n")) + 0.3
    style = job.style.model_copy(update={"panel_width": job.style.panel_width * (ALONE if len(pairs) == 1 else 1)})
    with panel_grid(len(pairs), job.columns, style, height=ROW * len(categories) + 0.4, labels=labels) as grid:
        ends = pl.min_horizontal(pl.col("low").min(), -2 * job.margin), pl.max_horizontal(pl.col("high").max(), 2 * job.margin)
        low, high = contrast.select(low=ends[0], high=ends[1]).row(0)
        pad = (high - low) * 0.03
        for ax, pair in zip(grid.axes, pairs, strict=True):
            _draw_panel(ax, contrast.filter(pl.col("pair") == pair), categories, grid, job)
            ax.set(xlim=(low - pad, high + pad), ylim=(len(categories) - 0.5, -0.5))
            ax.set_yticks(range(len(categories)), names)
            ax.locator_params(axis="x", nbins=5)
            grid.title(ax, pair, pad=0.6)
        label_axes(grid, LABELS[job.of], "")
        grid.legend(_legend(grid, job))
    return grid.figure


def _draw_panel(ax: "Axes", cells: pl.DataFrame, categories: list[str], grid: PanelGrid, job: ForestJob) -> None:
    """Draw the points of a pair with their intervals, a line at 0, and the margin within which two are equivalent as a band."""
    for number in range(len(categories)):
        ax.axhspan(number - 0.5, number + 0.5, color=SHADES[number % 2], linewidth=0, zorder=0)
    ax.axvspan(-job.margin, job.margin, color=FAINT, alpha=0.2, linewidth=0, zorder=0.5)
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    for row in cells.filter(pl.col("difference").is_not_null()).iter_rows(named=True):
        y = categories.index(row["category"]) + (STANCES.index(row["stance"]) - 1) * APART
        color = getattr(job.style.colors, row["stance"])
        if row["low"] is not None:
            ax.hlines(y, row["low"], row["high"], color=color, linewidth=1.0, zorder=2)
        ax.plot(row["difference"], y, **point(row["stance"], row["verdict"], color, grid.size * SIZE), zorder=3)


def _legend(grid: PanelGrid, job: ForestJob) -> list["Artist"]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    stances = [Line2D([], [], **point(s, "different", getattr(job.style.colors, s), grid.size * SIZE), label=s) for s in STANCES]
    verdicts = [Line2D([], [], **point("support", verdict, INK, grid.size * SIZE), label=verdict) for verdict in CONTRAST_VERDICTS]
    band = Patch(color=FAINT, alpha=0.2, linewidth=0, label=f"margin, ±{job.margin:g}")
    return [*itertools.chain.from_iterable(zip(stances, verdicts, strict=True)), band]  # filled column by column, two in each
