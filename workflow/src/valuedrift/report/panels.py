"""The parts that all figures share: grid of panels, headings, legend, and byte-equal files for equal inputs."""

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from valuedrift.config.figures import StyleConfig
from valuedrift.errors import UserError
from valuedrift.io.columns import FLAGS
from valuedrift.io.files import replacing
from valuedrift.io.tables import VALUES

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"support": "o", "neutral": "s", "oppose": "^"}
"""The stances also differ in shape, for print in grey and for readers who cannot distinguish red and green."""
GRID = {1: 1, 2: 2, 3: 3, 4: 2}
"""Number of panels → columns; three for more panels."""
SHADES = ("#f3f3f3", "#ffffff")
INK, FAINT = "#222222", "#666666"
DIGIT = 0.64
"""Width of a digit of DejaVu Sans in ems."""
LABEL_GAP = 0.5
"""Smallest distance between two labels on an axis, in ems."""
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib: the same figure on every machine
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
class PanelGrid:
    """A figure with a grid of empty panels."""

    figure: "Figure"
    axes: list["Axes"]
    """Axes of the panels, row by row."""
    size: float
    """Size of the text in points."""
    panel_points: float
    """Approximate width of a panel's axes in points."""

    def title(self, ax: "Axes", heading: str, pad: float) -> None:
        """Draw a panel's heading in bold, `pad` lines of text above its axes, wrapped to the panel's width."""
        # Bold letters are about 0.62 em wide, and half an em is free on either side of the axes.
        width = max(1, int((self.panel_points + self.size) / (self.size * 0.62)))
        ax.set_title(textwrap.fill(heading, width), fontsize=self.size, fontweight="bold", pad=self.size * pad)

    def suptitle(self, text: str) -> None:
        """Draw a heading over all panels."""
        width = max(1, int(self.figure.get_figwidth() * 72 / (self.size * 0.66)))
        self.figure.suptitle(textwrap.fill(text, width), fontsize=self.size + 1)

    def legend(self, handles: list["Artist"]) -> None:
        """Draw one legend under all panels, in as few rows as fit, filled column by column."""
        ems = self.figure.get_figwidth() * 72 / self.size
        lengths = [0.54 * len(str(handle.get_label())) + 3.8 for handle in handles]
        choices = [-(-len(handles) // rows) for rows in range(1, len(handles) + 1)]
        columns = next((n for n in choices if sum(map(max, np.array_split(lengths, n))) <= ems), 1)
        self.figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=self.size,
                           handlelength=1.6, columnspacing=1.4, borderpad=0.1)  # fmt: skip


@contextmanager
def panel_grid(
    count: int, columns: int | None, style: StyleConfig, height: float | None = None, labels: float = 0.5
) -> Iterator[PanelGrid]:
    """Yield a grid of `count` panels, as wide as the style wants and the page allows; draw inside the block.

    `height` is that of a panel in inches, by default the style's, and `labels` the inches that the y axis's labels need.
    """
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(columns or GRID.get(count, 3), count)
    rows = -(-count // columns)
    width = min(style.page_width, columns * style.panel_width + labels - 0.2)
    size = style.font_size
    fonts = {"font.size": size, "axes.labelsize": size, "xtick.labelsize": size - 1, "ytick.labelsize": size - 1}
    with sns.axes_style("ticks"), mpl.rc_context(RC | fonts):
        layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04, hspace=0.03, wspace=0.03)
        figure = Figure(figsize=(width, rows * (height or style.panel_height) + 0.5), layout=layout)
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
        for ax in axes[count:]:
            ax.set_visible(False)
        # Inches that are not axes: the y axis's labels, and 0.3 per panel for half a tick label on either side.
        panel_points = 72 * ((width - labels) / columns - 0.3)
        yield PanelGrid(figure, list(axes[:count]), size, panel_points)
        sns.despine(figure)


def label_axes(grid: PanelGrid, x: str, y: str) -> None:
    """Write `y` at the left of each row and `x` under each column."""
    for ax in grid.axes:
        spec = ax.get_subplotspec()
        assert spec is not None
        if spec.is_first_col():
            ax.set_ylabel(y)
        columns = spec.get_gridspec().ncols
        if spec.num1 + columns >= len(grid.axes):
            ax.set_xlabel(x)


def read_values(paths: list[Path]) -> pl.DataFrame:
    """Return the rows of all VALUES tables, each once: a table is given twice if it is the parent of two runs."""
    return VALUES.check(pl.concat([VALUES.read(path) for path in paths]).unique(maintain_order=True), "the figure's values")


def values_of(run: str, category: str, judge: str, values: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of VALUES of a run, category and judge, by step, NaN for what could not be measured, with `flagged`, the
    share of flagged responses; raises UserError if there are none."""
    found = rows_of(run, category, judge, values)
    if found.is_empty():
        raise UserError(f"no values of the run `{run}` on `{category}` by the judge `{judge}`: measure it first")
    return found


def rows_of(run: str, category: str, judge: str, values: pl.DataFrame) -> pl.DataFrame:
    """Return what `values_of` does, or no rows."""
    found = values.filter(pl.col("run") == run, pl.col("category") == category, pl.col("judge") == judge).sort("step")
    return found.with_columns(
        pl.col("mean", "low", "high", "band_low", "band_high").fill_null(math.nan), flagged=pl.sum_horizontal(FLAGS)
    )


def save(figure: "Figure", pdf: Path, png: Path, dpi: int) -> None:
    """Write the figure as PDF and PNG, without the time of creation."""
    import matplotlib as mpl

    mpl.use("Agg")
    with mpl.rc_context(RC), replacing(pdf) as scratch:  # fonts are embedded when the figure is saved
        figure.savefig(scratch, format="pdf", metadata={"CreationDate": None})
    with mpl.rc_context(RC), replacing(png) as scratch:
        figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})
