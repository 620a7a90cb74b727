"""Coordinates of the prompts on the map: UMAP of the embeddings to two dimensions."""

from pathlib import Path

from valuedrift.config.prompts import MapJob
from valuedrift.io.tables import EMBEDDINGS, MAP2D
from valuedrift.lm.embedding import matrix
from valuedrift.prompts.reduction import reduce_dimensions


def run(*, config: MapJob, embeddings: Path, output: Path) -> None:
    """Write each prompt's coordinates. The map only shows the clusters: they are found in more dimensions."""
    frame = EMBEDDINGS.read(embeddings)
    x, y = reduce_dimensions(matrix(frame), config).T
    MAP2D.write(frame.with_columns(x=x, y=y), output)
