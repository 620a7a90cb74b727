"""The map of the clusters as a picture: a dot for each prompt, coloured by its cluster, and each cluster's label at its centre."""

import colorsys
import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

SIZE = (11.0, 8.0)
"""Inches; at 150 dpi sharp at the page's full width."""
DPI = 150
NOISE, INK = "#c4c7cb", "#1f2328"
GOLDEN = 0.61803398875
LIGHTNESS = (0.45, 0.62, 0.34)
FONT, PADDING = 9.0, 2.25
"""Size of a label and the space around it in its box, in points."""
GAP = 6.0
"""Pixels between two labels."""
REACH = np.arange(-60, 61) * 10.0
"""How far a label may move, in pixels along each axis; 40 labels at one place have room."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

Boxes = NDArray[np.float64]


def colour(cluster: int) -> str:
    """The cluster's colour as #rrggbb: hues a golden angle apart, so that any number of clusters differ; grey outside clusters."""
    if cluster < 0:
        return NOISE
    rgb = colorsys.hls_to_rgb(cluster * GOLDEN % 1, LIGHTNESS[cluster % len(LIGHTNESS)], 0.68)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def draw(places: pl.DataFrame, labels: dict[int, str]) -> bytes:
    """The map as PNG, from the columns cluster, x, y; equal inputs give equal bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"font.family": "DejaVu Sans", "text.parse_math": False}):
        figure = plt.figure(figsize=SIZE, dpi=DPI)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        places = places.sort("cluster", "x", "y")  # grey below
        # Rasterised at 5 square points: 7,393 dots neither hide each other nor vanish.
        axes.scatter(places["x"], places["y"], s=5, c=[colour(number) for number in places["cluster"]], linewidths=0, alpha=0.75)
        axes.margins(0.04)
        axes.autoscale_view()  # now, not when drawing: the labels are placed in pixels
        centres = np.asarray([centre(places.filter(pl.col("cluster") == number)) for number in labels]).reshape(-1, 2)
        pixels = axes.transData.transform(centres)
        texts = [_labelled(axes, at, label, colour(number)) for at, (number, label) in zip(pixels, labels.items(), strict=True)]
        boxes = [text.get_window_extent().padded(PADDING * DPI / 72) for text in texts]
        sizes = np.asarray([(box.width, box.height) for box in boxes]).reshape(-1, 2)
        moved = apart(pixels, sizes, np.asarray(figure.bbox.max))
        for text, at, number, start in zip(texts, moved, labels, pixels, strict=True):
            text.set_position(at)
            axes.plot(*zip(start, at, strict=True), transform=None, color=colour(number), linewidth=1.2, zorder=2.5)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        plt.close(figure)
    return buffer.getvalue()


def _labelled(axes: "Axes", at: Boxes, label: str, edge: str) -> "Text":
    """The label in a box, at a place in pixels."""
    box = {"boxstyle": f"round,pad={PADDING / FONT}", "facecolor": (1, 1, 1, 0.8), "edgecolor": edge, "linewidth": 1.2}
    return axes.text(
        float(at[0]), float(at[1]), label, transform=None, size=FONT, weight="bold", color=INK, ha="center", va="center", bbox=box
    )


def centre(members: pl.DataFrame) -> Boxes:
    """Where most of the members are: the median of all, then again and again that of the half nearest to it.

    A cluster may lie in several parts, and the median of all of them in none.
    """
    points = members.select("x", "y").to_numpy().astype(np.float64)
    found = np.median(points, axis=0)
    for _ in range(10):
        near = np.linalg.norm(points - found, axis=1).argsort(kind="stable")[: len(points) // 2 + 1]
        found = np.median(points[near], axis=0)
    return np.asarray(found)


def apart(centres: Boxes, sizes: Boxes, frame: Boxes) -> Boxes:
    """Places for boxes of these sizes (width, height) within (0, 0) to `frame`: each at the free place nearest to its centre.

    Earlier boxes go first; one for which there is no room stays at its centre.
    """
    grid = np.stack(np.meshgrid(REACH, REACH), axis=-1).reshape(-1, 2)
    offsets = grid[np.lexsort((grid[:, 0], grid[:, 1], np.hypot(*grid.T)))]
    places = centres.copy()
    for i, size in enumerate(sizes):
        tried = np.clip(centres[i] + offsets, (size + GAP) / 2, frame - (size + GAP) / 2)
        distances = np.abs(tried[:, None] - places[None, :i])
        free = (distances >= (size + sizes[:i]) / 2 + GAP).any(axis=-1).all(axis=-1)
        places[i] = tried[free.argmax()] if free.any() else centres[i]
    return places
