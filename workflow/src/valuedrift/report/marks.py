"""The verdicts of cells as tables and figures print them, not by colour alone."""

from typing import TYPE_CHECKING, Any

import polars as pl

from valuedrift.io.columns import VERDICTS
from valuedrift.report.panels import INK, MARKERS, PanelGrid

if TYPE_CHECKING:
    from matplotlib.artist import Artist

MARKS = {"moved": "*", "preserved": "=", "undecided": "", "different": "*", "equivalent": "="}
WORDS = {"drift": ("moved", "preserved"), "difference": ("different", "equivalent")}
"""What is judged → its two verdicts that have marks."""
CORRECTIONS = {"bh": "Benjamini and Hochberg", "holm": "Holm"}


def explained(what: str, tested: str, confidence: float, margin: float, correction: str) -> str:
    """Return what the marks of a drift or a difference mean; `tested` says for how many, and which, q was corrected."""
    level, (moved, preserved) = f"{1 - confidence:.4g}", WORDS[what]
    return (
        f"{MARKS[moved]} {moved}: the {what} is not 0 (q ≤ {level}, {CORRECTIONS[correction]}'s correction for all {tested}). "
        f"{MARKS[preserved]} {preserved}: a {what} of {margin:g} or more is ruled out (p ≤ {level}). No mark: undecided."
    )


def point(stance: str, verdict: str, color: str, size: float) -> dict[str, Any]:
    """Return how a point of `size` points looks: its shape is the stance's; filled, half filled or empty is the verdict."""
    mark = MARKS[verdict]
    return {
        "marker": MARKERS[stance], "markersize": size, "color": color, "linestyle": "", "markeredgewidth": 0.8,
        "fillstyle": "left" if mark == "=" else "full", "markerfacecoloralt": "white",
        "markerfacecolor": color if mark else "white",
    }  # fmt: skip


def verdict_of(drift: pl.DataFrame, run: str, category: str, stance: str, judge: str) -> str | None:
    """Return the verdict of a cell of DRIFT; None where there is none."""
    cell = {"run": run, "category": category, "stance": stance, "judge": judge}
    found = drift.filter(**cell)["verdict"].to_list()
    return found[0] if found else None


def verdict_legend(grid: PanelGrid) -> list["Artist"]:
    """Return the legend's entries of the three verdicts on a drift."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], **point("support", v, INK, grid.size * 0.55), label=v) for v in VERDICTS]
