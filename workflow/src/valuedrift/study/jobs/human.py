"""Jobs of the check of the judge against people's labels."""

from valuedrift.config.human import HumanCheckJob, HumanSampleJob
from valuedrift.study.jobs.base import StudyJobs


class HumanJobs(StudyJobs):
    def human_sample(self) -> str:
        return HumanSampleJob(
            judge=self.study.judge, responses=self.config.human.responses, title=self.title, seed=self.config.seed,
            options=self.config.judges[self.study.judge].options,
        ).canonical()  # fmt: skip

    def human_check(self) -> str:
        human = self.config.human
        return HumanCheckJob(
            judge=self.study.judge, title=self.title, confidence=human.confidence, resamples=human.resamples, seed=self.config.seed
        ).canonical()
