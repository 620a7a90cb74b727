"""Jobs of judging."""

from typing import Any

from valuedrift.config.judge import JudgeJob, JudgeStep, OrderCheckJob
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs, TrackedJob, tracked_job


class JudgeJobs(StudyJobs):
    def judge(self, run: str, name: str) -> TrackedJob:
        """Return the job of one judge on a run's responses; Snakemake compares what decides the stances."""
        return _tracked(JudgeJob(run=run, **self._step(name)), {"order_check"})

    def order_check(self, name: str) -> TrackedJob:
        """Return the job that asks one judge about some responses in all orders of the options."""
        children = [run.id for run in self.study.runs.values() if run.parent]
        return _tracked(OrderCheckJob(children=children, **self._step(name)), set())

    def _step(self, name: str) -> dict[str, Any]:
        judge = self.config.judges[name]
        if judge.path:
            judge = judge.model_copy(update={"path": self.study.model_at(judge.path, judge.revision)})
        return {"name": name, "seed": self.config.seed, "judge": judge, "chat": self.study.chat(judge.chat) if judge.chat else None}


def _tracked(job: JudgeStep, others: set[str]) -> TrackedJob:
    """Return the job; `others` are keys of the judge that decide another step's results."""
    decisive = job.judge.model_dump(mode="json", exclude=NOT_DECISIVE | others | {"chat"})
    return tracked_job(job, judge=decisive, chat=job.chat.identity if job.chat else None)
