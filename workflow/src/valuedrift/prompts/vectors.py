"""Vectors as a column of a table and as a matrix."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from valuedrift.frames import VECTOR

Matrix = NDArray[np.float32]


def column(rows: NDArray[Any]) -> pl.Series:
    """The rows of a matrix (rows × dimensions) as the column `vector`."""
    return pl.Series("vector", rows.astype(np.float32).tolist(), dtype=VECTOR)


def matrix(frame: pl.DataFrame) -> Matrix:
    """The column `vector` of a frame as a matrix (rows × dimensions); a frame without rows gives 0 × 0."""
    rows = frame["vector"].to_list()
    return np.asarray(rows, dtype=np.float32) if rows else np.empty((0, 0), dtype=np.float32)


def unit(rows: Matrix) -> Matrix:
    """Each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
