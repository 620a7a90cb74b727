"""Embeddings in fewer dimensions, by UMAP."""

import warnings
from pathlib import Path

import numpy as np

from valuedrift.config.prompts import ReductionJob
from valuedrift.errors import UserError
from valuedrift.io.tables import EMBEDDINGS, REDUCED
from valuedrift.lm.embedding import Matrix, column, matrix

FEWEST = 4
"""UMAP's spectral start and its graph of neighbours mean nothing for fewer points."""


def run(*, config: ReductionJob, embeddings: Path, output: Path) -> None:
    """Reduce each embedding."""
    frame = EMBEDDINGS.read(embeddings)
    REDUCED.write(frame.with_columns(column(reduced(matrix(frame), config))), output)


def reduced(vectors: Matrix, config: ReductionJob) -> Matrix:
    """Rows × config.dimensions. The seed fixes the layout, at the price of one thread.

    Few rows have fewer neighbours than asked for, and too few to start from the graph's eigenvectors; then all the others are
    neighbours and the start is random. Raises UserError for fewer than 4 rows.
    """
    rows = len(vectors)
    if rows < FEWEST:
        raise UserError(f"{rows} prompts are too few for UMAP: give `prompts.source` at least {FEWEST}")
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
        warnings.filterwarnings("ignore", message="Spectral initialisation failed")  # it then starts at random, from the same seed
        return np.asarray(mapper.fit_transform(vectors), dtype=np.float32)
