"""What each step reads: exactly its part of the config, as canonical JSON."""

from valuedrift.study.jobs.data import DataJobs
from valuedrift.study.jobs.downstream import DownstreamJobs
from valuedrift.study.jobs.drift import DriftJobs
from valuedrift.study.jobs.generate import GenerateJobs
from valuedrift.study.jobs.hub import HubJobs
from valuedrift.study.jobs.human import HumanJobs
from valuedrift.study.jobs.judge import JudgeJobs
from valuedrift.study.jobs.miniature import MiniatureJobs
from valuedrift.study.jobs.prompts import PromptJobs
from valuedrift.study.jobs.report import ReportJobs
from valuedrift.study.jobs.synthetic import SyntheticJobs
from valuedrift.study.jobs.train import TrainJobs


class Jobs(
    HubJobs, PromptJobs, DataJobs, SyntheticJobs, TrainJobs, GenerateJobs, JudgeJobs, HumanJobs, DriftJobs, DownstreamJobs,
    ReportJobs, MiniatureJobs,
):  # fmt: skip
    """The jobs of one study, stage by stage. A method returns the string that Snakemake compares, or a TrackedJob where the step
    also reads keys that do not change its result."""

    def check(self) -> None:
        """Make the jobs whose making finds mistakes of the config; raise UserError for the first."""
        for name in self.config.figures:
            self.figure(name)
        if self.config.scorecard:
            self.scorecard()
