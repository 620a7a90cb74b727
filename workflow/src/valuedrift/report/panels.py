"""What every figure shares: page and panels, headings, the legend, and files of equal bytes."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from valuedrift.config.report import StyleConfig
from valuedrift.io.tables import VALUES, replacing

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"support": "o", "neutral": "s", "oppose": "^"}
"""The stances differ in shape too, for print in grey and for readers who do not tell red from green."""
GRID = {1: 1, 2: 2, 3: 3, 4: 2}
"""Panels → columns; three columns for more."""
INK, FAINT = "#222222", "#666666"
DIGIT = 0.64
"""Width of a digit of DejaVu Sans, in ems."""
LABEL_GAP = 0.5
"""Least distance of two labels on an axis, in ems."""
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
class Canvas:
    """An empty figure of `count` panels."""

    figure: "Figure"
    axes: list["Axes"]
    """One a panel, row by row."""
    size: float
    """Size of the text, in points."""
    room: float
    """Points that the axes of a panel are wide, about."""

    def title(self, ax: "Axes", heading: str, pad: float) -> None:
        """A panel's heading in bold, `pad` lines of text above its axes, broken where it is too long."""
        # Bold letters are about 0.62 em wide, and half an em beside the axes is free on either side.
        width = max(1, int((self.room + self.size) / (self.size * 0.62)))
        ax.set_title(textwrap.fill(heading, width), fontsize=self.size, fontweight="bold", pad=self.size * pad)

    def suptitle(self, text: str) -> None:
        """A heading over all panels."""
        width = max(1, int(self.figure.get_figwidth() * 72 / (self.size * 0.66)))
        self.figure.suptitle(textwrap.fill(text, width), fontsize=self.size + 1)

    def legend(self, handles: list["Artist"]) -> None:
        """One legend under all panels, of two rows where one would not fit."""
        em = sum(len(str(handle.get_label())) * 0.5 + 3.8 for handle in handles)
        rows = -(-em * self.size // (self.figure.get_figwidth() * 72))
        self.figure.legend(handles=handles, loc="outside lower center", ncols=int(-(-len(handles) // rows)), frameon=False,
                           fontsize=self.size, handlelength=1.6, columnspacing=1.4, borderpad=0.1)  # fmt: skip


@contextmanager
def canvas(count: int, columns: int | None, style: StyleConfig) -> Iterator[Canvas]:
    """A canvas for `count` panels, as wide as they want to be and the page allows; drawing happens inside the block."""
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(columns or GRID.get(count, 3), count)
    rows = -(-count // columns)
    width = min(style.page_width, columns * style.panel_width + 0.3)
    size = style.font_size
    fonts = {"font.size": size, "axes.labelsize": size, "xtick.labelsize": size - 1, "ytick.labelsize": size - 1}
    with sns.axes_style("ticks"), mpl.rc_context(RC | fonts):
        layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04, hspace=0.03, wspace=0.03)
        figure = Figure(figsize=(width, rows * style.panel_height + 0.5), layout=layout)
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
        for ax in axes[count:]:
            ax.set_visible(False)
        # Inches beside the axes: the labels of the axis of y once, half a label of a tick on either side of each panel.
        room = 72 * ((width - 0.5) / columns - 0.3)
        yield Canvas(figure, list(axes[:count]), size, room)
        sns.despine(figure)


def label_axes(shown: Canvas, x: str, y: str) -> None:
    """`y` at the left of each row, `x` under each column."""
    for ax in shown.axes:
        spec = ax.get_subplotspec()
        assert spec is not None
        if spec.is_first_col():
            ax.set_ylabel(y)
        columns = spec.get_gridspec().ncols
        if spec.num1 + columns >= len(shown.axes):
            ax.set_xlabel(x)


def read_values(paths: list[Path]) -> pl.DataFrame:
    """The rows of all VALUES tables; the same table may be given twice, as the parent of two runs."""
    return VALUES.check(pl.concat([VALUES.read(path) for path in paths]).unique(maintain_order=True), "the figure's values")


def save(figure: "Figure", pdf: Path, png: Path, dpi: int) -> None:
    """Write the figure as PDF and PNG, without a time of day."""
    import matplotlib as mpl

    mpl.use("Agg")
    with mpl.rc_context(RC), replacing(pdf) as scratch:  # fonts are embedded when the figure is saved
        figure.savefig(scratch, format="pdf", metadata={"CreationDate": None})
    with mpl.rc_context(RC), replacing(png) as scratch:
        figure.savefig(scratch, format="png", dpi=dpi, metadata={"Software": None})
