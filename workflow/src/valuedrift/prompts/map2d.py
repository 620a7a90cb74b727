"""Places of the prompts in a picture: UMAP of the same embeddings to the plane."""

from pathlib import Path

from valuedrift.config.prompts import MapJob
from valuedrift.io.tables import EMBEDDINGS, MAP2D
from valuedrift.lm.embedding import matrix
from valuedrift.prompts.reduction import reduced


def run(*, config: MapJob, embeddings: Path, output: Path) -> None:
    """Place each prompt. The picture shows clusters and never makes them: those come from more dimensions."""
    frame = EMBEDDINGS.read(embeddings)
    x, y = reduced(matrix(frame), config).T
    MAP2D.write(frame.with_columns(x=x, y=y), output)
