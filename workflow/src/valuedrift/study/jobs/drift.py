"""Jobs of values and drift."""

from valuedrift.config.drift import DriftJob, ValuesJob
from valuedrift.study.jobs.base import StudyJobs


class DriftJobs(StudyJobs):
    def values(self) -> str:
        return ValuesJob(values=self.config.values, seed=self.config.seed).canonical()

    def drift(self) -> str:
        return DriftJob(values=self.config.values, drift=self.config.drift, seed=self.config.seed).canonical()
