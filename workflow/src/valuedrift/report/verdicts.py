"""The picture that the report opens with: every drift of a study, runs by categories, with what can be said of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from valuedrift.config.base import STANCES
from valuedrift.config.report import VerdictsJob
from valuedrift.io.tables import DRIFT
from valuedrift.report.panels import FAINT, INK, RC, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.21, 0.17
"""Width and height of a drift in inches, which hold a sign and two digits."""
LETTER = 0.58
"""Width of a letter of a name in ems, in the mean at most."""
BARE = 0.35
"""Inches above the drifts, for the stances' names."""
COLORS, UNDECIDED, PRESERVED = "PuOr_r", "#ececec", "#ffffff"
STRONG = 0.6
"""Drift from which the colour is the deepest; its digits are white from two thirds of that."""


def run(*, config: VerdictsJob, drift: Path, pdf: Path, png: Path) -> None:
    """Draw the study's DRIFT as PDF and PNG; equal inputs give equal bytes."""
    save(draw(config, DRIFT.read(drift)), pdf, png, config.style.dpi)


def draw(job: VerdictsJob, drift: pl.DataFrame) -> "Figure":
    """Return one panel per stance, with a row per run and a column per category.

    A drift that moved shows its hundredths, deeper coloured the larger it is; "=" stands for preserved, an empty square for
    undecided, and nothing at all for what was not measured.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names, runs = job.categories, job.runs
    cells = drift.filter(pl.col("judge") == job.judge)
    letter = LETTER * (job.style.font_size - 1) / 72
    left, below = (letter * max(map(len, texts)) + 0.1 for texts in (runs, names))
    wide, high = CELL[0] * len(names), CELL[1] * len(runs)
    size = left + len(STANCES) * (wide + CELL[0]), BARE + high + below
    with mpl.rc_context(RC | {"font.size": job.style.font_size - 1}):
        figure = Figure(figsize=size)
        for place, stance in enumerate(STANCES):
            at = (left + place * (wide + CELL[0])) / size[0], below / size[1], wide / size[0], high / size[1]
            ax = figure.add_axes(at)
            _draw_panel(ax, cells.filter(pl.col("stance") == stance), job)
            ax.set_title(stance, fontsize=job.style.font_size, fontweight="bold")
            ax.set_yticks(np.arange(len(runs)) + 0.5, runs if place == 0 else [""] * len(runs))
    return figure


def _draw_panel(ax: "Axes", cells: pl.DataFrame, job: VerdictsJob) -> None:
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    colors = mpl.colormaps[COLORS]
    found = {(row["run"], row["category"]): row for row in cells.iter_rows(named=True)}
    for y, run in enumerate(job.runs):
        for x, category in enumerate(job.categories):
            row = found.get((run, category))
            if row is None or row["verdict"] is None:
                continue
            depth = row["magnitude"] / STRONG
            moved = row["verdict"] == "moved"
            color = colors(0.5 + depth / 2) if moved else PRESERVED if row["verdict"] == "preserved" else UNDECIDED
            ax.add_patch(
                Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, facecolor=color, edgecolor=FAINT, linewidth=0 if moved else 0.2)
            )
            text = f"{100 * row['magnitude']:+.0f}" if moved else "=" if row["verdict"] == "preserved" else ""
            ink = "white" if moved and abs(depth) > 2 / 3 else INK
            ax.text(x + 0.5, y + 0.52, text, ha="center", va="center", color=ink, fontsize=job.style.font_size - 2)
    ax.set(xlim=(0, len(job.categories)), ylim=(len(job.runs), 0))
    ax.set_xticks(np.arange(len(job.categories)) + 0.5, job.categories, rotation=90)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
