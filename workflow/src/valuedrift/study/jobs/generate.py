"""Jobs of sampling."""

from valuedrift.config.generate import GenerationJob
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs, TrackedJob, tracked_job


class GenerateJobs(StudyJobs):
    def generation(self, run: str, again: str = "") -> TrackedJob:
        """Return the job that samples a run's responses, or `again` those of its ends; Snakemake compares what decides them."""
        model, block = self.study.models[self.study.runs[run].model], self.config.generation
        job = GenerationJob(
            run=run, seed=self.config.seed if block.seed is None else block.seed, dtype=model.dtype,
            trust_remote_code=model.trust_remote_code, generation=block, replicate=bool(again),
        )  # fmt: skip
        return tracked_job(job, generation=block.model_dump(mode="json", exclude=NOT_DECISIVE | {"seed", "replicates"}))
