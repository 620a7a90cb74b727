"""Jobs of sampling."""

from valuedrift.config.generate import GenerationJob
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs, TrackedJob, tracked_job


class GenerateJobs(StudyJobs):
    def generation(self, run: str) -> TrackedJob:
        """Return the job that samples a run's responses; Snakemake compares what decides them."""
        model = self.study.models[self.study.runs[run].model]
        job = GenerationJob(
            run=run, seed=self.config.seed, dtype=model.dtype, trust_remote_code=model.trust_remote_code,
            generation=self.config.generation,
        )  # fmt: skip
        return tracked_job(job, generation=self.config.generation.model_dump(mode="json", exclude=NOT_DECISIVE))
