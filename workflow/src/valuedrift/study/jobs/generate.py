"""Jobs of sampling."""

import hashlib

from valuedrift.config.generate import GenerationJob
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs, TrackedJob, tracked_job
from valuedrift.study.lineage import Run


class GenerateJobs(StudyJobs):
    def generation(self, run: str, again: str = "") -> TrackedJob:
        """Return the job that samples a run's responses, or `again` those of its ends; Snakemake compares what decides them."""
        model, block = self.study.models[self.study.runs[run].model], self.config.generation
        job = GenerationJob(
            run=run, seed=self._responses_seed(self.study.runs[run]), dtype=model.dtype,
            trust_remote_code=model.trust_remote_code, generation=block, replicate=bool(again),
        )  # fmt: skip
        return tracked_job(job, generation=block.model_dump(mode="json", exclude=NOT_DECISIVE | {"seed", "replicates"}))

    def _responses_seed(self, run: Run) -> int:
        """Return the seed of a run's responses: one of its own for each further training seed, so that seeds have no chance in
        common and their spread holds all of it."""
        seed = self.config.seed if self.config.generation.seed is None else self.config.generation.seed
        if run.id == run.plain:
            return seed
        return int.from_bytes(hashlib.sha256(f"{seed}/training seed {run.seed}".encode()).digest()[:4], "big")
