"""Jobs of benchmarks."""

from valuedrift.config.downstream import DownstreamDataJob, DownstreamJob, TaskData
from valuedrift.study.jobs.base import StudyJobs


class DownstreamJobs(StudyJobs):
    def downstream_data(self, task: str) -> str:
        downstream, block = self.config.downstream, self.config.downstream.tasks[task]
        data = TaskData(task=downstream.name_of(task), data=None if block.data is None else self.study.here(block.data))
        return DownstreamDataJob(tasks={task: data}, include=downstream.include, revisions=block.revisions).canonical()

    def downstream(self, run: str, task: str) -> str:
        model = self.study.models[self.study.runs[run].model]
        block = self.config.downstream.tasks[task].model_copy(update={"data": None, "revisions": {}})
        downstream = self.config.downstream.model_copy(update={"tasks": {task: block}})
        return DownstreamJob(
            run=run, dtype=model.dtype, trust_remote_code=model.trust_remote_code, downstream=downstream
        ).canonical()
