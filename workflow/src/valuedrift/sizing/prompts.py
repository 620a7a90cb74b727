"""Needs of steps without a GPU."""

from pathlib import Path

import polars as pl

from valuedrift.config.prompts import EmbeddingConfig
from valuedrift.sizing.base import IMPORTS, PROCESS_GIB, TEXTS, Need, StudyNeeds
from valuedrift.sizing.counts import ASSUMED, NOTHING, QUESTION, Amount
from valuedrift.sizing.gpu_memory import GIB
from valuedrift.study.lineage import Run

ROW_BYTES, PARSED = 4096, 5 * 2**20
"""Bytes of a dataset's row, where it is not here yet, and bytes a second that are read into a table (assumed)."""
RAW = 16
"""Raw prompts of the miniature for each of its `questions`: 646 for 40."""


class TableNeeds(StudyNeeds):
    def base(self, run: Run) -> Need:
        """Linking and hashing a base model or somebody's checkpoints, or drawing a base model's weights."""
        shape, read = self.of_model(run.model), self.work.checkpoints(run).value
        drawn = self.study.models[run.model].weights == "random"
        disk = self.weights(run.model) if drawn else NOTHING
        return Need(0, 1, PROCESS_GIB + 2 * shape.weights / GIB * drawn, self.start(read * shape.weights), disk)

    def dataset(self, name: str) -> Need:
        """Reading a dataset into its table."""
        block = self.config.datasets[name]
        place = Path(self.study.dataset_at(block.path, block.revision))
        files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files) or self.lengths.rows(name).value * ROW_BYTES
        return Need(0, 1, 1 + size * 10 / GIB, Amount(1 + size / PARSED, ASSUMED))

    @property
    def texts(self) -> Amount:
        """Raw prompts that curation begins with."""
        raw = self.work.folder / "prompts" / "raw.parquet"
        if raw.exists():
            return Amount(pl.scan_parquet(raw).select(pl.len()).collect().item())
        return Amount(RAW * self.config.miniature.questions, ASSUMED) if self.config.miniature else TEXTS

    def embedding(self, encoder: EmbeddingConfig, texts: Amount | None = None) -> Need:
        """Embedding texts, on the CPU: a GPU would wait for its start-up longer than for the texts."""
        texts = texts or self.texts
        parameters = self.size(encoder.model, encoder.revision, None)
        token = self.speeds.seconds_per_token("cpu", "read", "float32", parameters.value)
        threads = self.threads(parameters.value, 0)
        seconds = Amount(IMPORTS) + texts * (QUESTION / 4) * token * (1 / threads)
        return Need(0, threads, PROCESS_GIB + 8 * texts.value * 1024 * 4 / GIB, seconds, texts * 4096)

    def search(self) -> Need:
        """Embedding the prompts of the sets among which synthetic preferences look for theirs."""
        synthetic = self.config.synthetic
        assert synthetic
        return self.embedding(synthetic.embedding, sum(map(self.lengths.rows, synthetic.sources), NOTHING))

    def tables(self, texts: Amount | None = None) -> Need:
        """Reducing or clustering texts, by default the raw prompts: on one core, since more would draw other numbers."""
        texts = texts or self.texts
        return Need(0, 1, PROCESS_GIB + texts.value * 1e-4, Amount(IMPORTS) + texts * Amount(0.01, ASSUMED))
