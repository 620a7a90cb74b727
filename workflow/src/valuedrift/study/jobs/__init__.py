"""What each step of a study is told: exactly the part of the config that the step reads, as canonical JSON."""

from valuedrift.study.jobs.human import HumanJobs
from valuedrift.study.jobs.prompts import PromptJobs
from valuedrift.study.jobs.report import ReportJobs
from valuedrift.study.jobs.train import TrainingJobs


class Jobs(PromptJobs, TrainingJobs, HumanJobs, ReportJobs):
    """The jobs of one study; a method returns the string that Snakemake compares, or, with it, more that it does not."""

    def check(self) -> None:
        """Make the jobs whose making can find a mistake of the config; raises UserError."""
        for name in self.config.figures:
            self.figure(name)
        if self.config.scorecard:
            self.scorecard()
