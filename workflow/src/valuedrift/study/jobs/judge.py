"""Jobs of judging."""

from valuedrift.config.judge import JudgeJob
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs, TrackedJob, tracked_job


class JudgeJobs(StudyJobs):
    def judge(self, run: str, name: str) -> TrackedJob:
        """Return the job of one judge on a run's responses; Snakemake compares what decides the stances."""
        judge = self.config.judges[name]
        if judge.path:
            judge = judge.model_copy(update={"path": self.study.model_at(judge.path, judge.revision)})
        chat = self.study.chat(judge.chat) if judge.chat else None
        job = JudgeJob(run=run, name=name, seed=self.config.seed, judge=judge, chat=chat)
        decisive = judge.model_dump(mode="json", exclude=NOT_DECISIVE | {"chat"})
        return tracked_job(job, judge=decisive, chat=chat.identity if chat else None)
