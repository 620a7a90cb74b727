"""Draws the map of the clusters: a dot for each prompt, coloured by its cluster, and each cluster's label near its centre."""

import colorsys
import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

FIGURE_SIZE = (11.0, 8.0)
"""In inches; at 150 dpi it is sharp at the page's full width."""
DPI = 150
NOISE_COLOUR, TEXT_COLOUR = "#c4c7cb", "#1f2328"
GOLDEN_RATIO = 0.61803398875
LIGHTNESSES = (0.45, 0.62, 0.34)
FONT_SIZE, LABEL_PADDING = 9.0, 2.25
"""Font size of a label and the space around it in its box, in points."""
LABEL_GAP = 6.0
"""Least distance between two labels, in pixels."""
LABEL_SHIFTS = np.arange(-60, 61) * 10.0
"""Shifts that are tried for a label, in pixels along each axis; they leave room for 40 labels with the same centre."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

Boxes = NDArray[np.float64]


def cluster_colour(cluster: int) -> str:
    """Return a cluster's colour as #rrggbb: hues a golden angle apart, so that all clusters differ; grey for noise (-1)."""
    if cluster < 0:
        return NOISE_COLOUR
    rgb = colorsys.hls_to_rgb(cluster * GOLDEN_RATIO % 1, LIGHTNESSES[cluster % len(LIGHTNESSES)], 0.68)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def draw_map(points: pl.DataFrame, labels: dict[int, str]) -> bytes:
    """Return the map as PNG; `points` has the columns cluster, x, y. Equal inputs give equal bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"font.family": "DejaVu Sans", "text.parse_math": False}):
        figure = plt.figure(figsize=FIGURE_SIZE, dpi=DPI)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        points = points.sort("cluster", "x", "y")  # noise (-1) first, so that its grey dots lie below
        # At 5 square points, 7,393 dots neither hide each other nor vanish.
        colours = [cluster_colour(number) for number in points["cluster"]]
        axes.scatter(points["x"], points["y"], s=5, c=colours, linewidths=0, alpha=0.75)
        axes.margins(0.04)
        axes.autoscale_view()  # now instead of when drawing: the labels are placed in pixels
        centres = np.asarray([densest_point(points.filter(pl.col("cluster") == number)) for number in labels]).reshape(-1, 2)
        pixels = axes.transData.transform(centres)
        texts = [
            _add_label(axes, at, label, cluster_colour(number)) for at, (number, label) in zip(pixels, labels.items(), strict=True)
        ]
        boxes = [text.get_window_extent().padded(LABEL_PADDING * DPI / 72) for text in texts]
        sizes = np.asarray([(box.width, box.height) for box in boxes]).reshape(-1, 2)
        moved = separate_labels(pixels, sizes, np.asarray(figure.bbox.max))
        for text, at, number, start in zip(texts, moved, labels, pixels, strict=True):
            text.set_position(at)
            axes.plot(*zip(start, at, strict=True), transform=None, color=cluster_colour(number), linewidth=1.2, zorder=2.5)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        plt.close(figure)
    return buffer.getvalue()


def _add_label(axes: "Axes", at: Boxes, label: str, edge: str) -> "Text":
    """Add a label in a box, centred at `at` (pixels), to the axes."""
    box = {"boxstyle": f"round,pad={LABEL_PADDING / FONT_SIZE}", "facecolor": (1, 1, 1, 0.8), "edgecolor": edge, "linewidth": 1.2}
    return axes.text(
        float(at[0]),
        float(at[1]),
        label,
        transform=None,
        size=FONT_SIZE,
        weight="bold",
        color=TEXT_COLOUR,
        ha="center",
        va="center",
        bbox=box,
    )


def densest_point(members: pl.DataFrame) -> Boxes:
    """Return the point (x, y) around which most members lie: their median, then 10 times the median of the half nearest to it.

    A cluster may fall into several parts on the map, and the median of all its members may lie in none of them.
    """
    points = members.select("x", "y").to_numpy().astype(np.float64)
    found = np.median(points, axis=0)
    for _ in range(10):
        near = np.linalg.norm(points - found, axis=1).argsort(kind="stable")[: len(points) // 2 + 1]
        found = np.median(points[near], axis=0)
    return np.asarray(found)


def separate_labels(centres: Boxes, sizes: Boxes, frame: Boxes) -> Boxes:
    """Return the positions (labels × 2, pixels) at which labels do not overlap, each the free one nearest to the label's centre.

    `sizes` holds the labels' widths and heights; they stay within (0, 0) and `frame`. Earlier labels are placed first; one that
    finds no room stays at its centre.
    """
    grid = np.stack(np.meshgrid(LABEL_SHIFTS, LABEL_SHIFTS), axis=-1).reshape(-1, 2)
    offsets = grid[np.lexsort((grid[:, 0], grid[:, 1], np.hypot(*grid.T)))]
    places = centres.copy()
    for i, size in enumerate(sizes):
        tried = np.clip(centres[i] + offsets, (size + LABEL_GAP) / 2, frame - (size + LABEL_GAP) / 2)
        distances = np.abs(tried[:, None] - places[None, :i])
        free = (distances >= (size + sizes[:i]) / 2 + LABEL_GAP).any(axis=-1).all(axis=-1)
        places[i] = tried[free.argmax()] if free.any() else centres[i]
    return places
