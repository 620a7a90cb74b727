"""Reduces the embeddings to fewer dimensions by UMAP."""

import warnings
from pathlib import Path

import numpy as np

from valuedrift.config.prompts import ReductionJob
from valuedrift.errors import UserError
from valuedrift.io.tables import EMBEDDINGS, REDUCED
from valuedrift.lm.embedding import Matrix, column, matrix

MIN_ROWS = 4
"""With fewer points, UMAP's spectral initialisation and its neighbour graph are meaningless."""


def run(*, config: ReductionJob, embeddings: Path, output: Path) -> None:
    """Write the reduced embeddings."""
    frame = EMBEDDINGS.read(embeddings)
    REDUCED.write(frame.with_columns(column(reduce_dimensions(matrix(frame), config))), output)


def reduce_dimensions(vectors: Matrix, config: ReductionJob) -> Matrix:
    """Return the vectors reduced by UMAP (rows × config.dimensions). The seed fixes the layout, which limits UMAP to one thread.

    With fewer rows than `neighbors`, all other rows are neighbours; with too few rows for the graph's eigenvectors, the
    initialisation is random. Raise UserError for fewer than 4 rows.
    """
    rows = len(vectors)
    if rows < MIN_ROWS:
        raise UserError(f"{rows} prompts are too few for UMAP: give `prompts.source` at least {MIN_ROWS}")
    import umap

    mapper = umap.UMAP(
        n_components=config.dimensions,
        n_neighbors=min(config.neighbors, rows - 1),
        min_dist=config.min_dist,
        metric=config.metric,
        init="spectral" if rows > config.dimensions + 1 else "random",
        random_state=config.seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Spectral initialisation failed"
        )  # it then initialises at random, from the same seed
        return np.asarray(mapper.fit_transform(vectors), dtype=np.float32)
