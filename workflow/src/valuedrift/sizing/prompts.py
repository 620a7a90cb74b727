"""Estimate what the steps of curation need that embed, reduce and cluster texts on the CPU."""

import polars as pl

from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.io.tables import RAW_PROMPTS
from valuedrift.sizing.amount import ASSUMED, NOTHING, Amount
from valuedrift.sizing.base import IMPORT_SECONDS, PROCESS_GIB, Need, StudySizing
from valuedrift.sizing.counts import QUESTION_CHARACTERS
from valuedrift.sizing.gpu_memory import GIB

DEFAULT_RAW_PROMPTS = Amount(10_000, ASSUMED)
"""Raw prompts while they are not on disk; PRISM has 8,011 conversations."""
RAW_PER_QUESTION = 16
"""Raw prompts of the miniature for each of its `questions`: 646 for 40."""
UMAP_SECONDS = 5.5
"""Seconds in which UMAP is imported and compiled: reducing the miniature's 646 prompts took 12 s on an idle core."""


def raw_prompts(sizing: StudySizing) -> Amount:
    """Return the raw prompts that curation starts from."""
    raw, world = sizing.work.folder / "prompts" / "raw.parquet", sizing.config.miniature
    if (rows := RAW_PROMPTS.column(raw, pl.len())) is not None:
        return Amount(rows.item())
    return Amount(RAW_PER_QUESTION * world.questions, ASSUMED) if world else DEFAULT_RAW_PROMPTS


def embedding(sizing: StudySizing, encoder: EmbeddingConfig, texts: Amount) -> Need:
    """Return the need of embedding texts on the CPU: a GPU would take longer to start than the texts take."""
    parameters = sizing.size(encoder.model, encoder.revision, None)
    token = sizing.speeds.seconds_per_token("cpu", "read", "float32", parameters.value)
    threads = sizing.threads(parameters.value, 0)
    seconds = Amount(IMPORT_SECONDS) + texts * (QUESTION_CHARACTERS / 4) * token * (1 / threads)
    return Need(0, threads, PROCESS_GIB + 8 * texts.value * 1024 * 4 / GIB, seconds, texts * 4096)


def search(sizing: StudySizing) -> Need:
    """Return the need of embedding the prompts of the sets in which synthetic preferences look for theirs."""
    block = sizing.config.synthetic
    assert block
    return embedding(sizing, block.embedding, sum(map(sizing.lengths.rows, block.sources), NOTHING))


def reduction(sizing: StudySizing) -> Need:
    """Return the need of reducing the raw prompts by UMAP, on one core, since more would give other numbers."""
    return _on_table(raw_prompts(sizing), UMAP_SECONDS, 0.01)


def clustering(sizing: StudySizing) -> Need:
    """Return the need of clustering the reduced prompts, on one core."""
    return _on_table(raw_prompts(sizing), 2.5, 0.002)


def _on_table(rows: Amount, start: float, each: float) -> Need:
    """Return the need of a step on one core whose memory and time grow with the rows of its table."""
    return Need(0, 1, PROCESS_GIB + rows.value * 1e-4, Amount(start) + rows * Amount(each, ASSUMED))
