"""Jobs of trainings, and of the models that somebody else trained."""

from valuedrift.config.algorithms import job_model
from valuedrift.config.train import BaseJob, ExternalJob, TrainingConfig
from valuedrift.study.jobs.base import StudyJobs, TrackedJob, Untracked
from valuedrift.study.lineage import Run


class TrainJobs(StudyJobs):
    def base(self, run: str) -> str:
        model = self.config.models[self.study.runs[run].model]
        model = model.model_copy(update={"path": self.study.model_at(model.path, model.revision), "parameters": None})
        return BaseJob(run=run, model=model, seed=self.config.seed).canonical()

    def external(self, run: str) -> str:
        external = self.config.external[self.study.runs[run].model]
        checkpoints = [
            (step, self.study.model_at(*external.source(step)), checkpoint.chat)
            for step, checkpoint in sorted(external.checkpoints.items())
        ]
        return ExternalJob(
            run=run, checkpoints=checkpoints, trust_remote_code=external.trust_remote_code, seed=self.config.seed
        ).canonical()

    def training(self, run: str) -> TrackedJob:
        """Return the job of a run; Snakemake compares what decides the weights."""
        found = self.study.runs[run]
        assert found.training
        return self._training(run, found, found.algorithm, found.training)

    def reward(self, reward: str) -> TrackedJob:
        """Return the job of a reward model; Snakemake compares what decides the weights."""
        return self._training(reward, self.study.rewards[reward], "reward", self.config.training.of("reward"))

    def _training(self, name: str, run: Run, algorithm: str, training: TrainingConfig) -> TrackedJob:
        assert run.parent and run.dataset
        model = self.study.models[run.model].model_copy(update={"parameters": None})
        job = job_model(algorithm).model_validate(
            {
                "run": name, "parent": run.parent.id, "algorithm": algorithm, "model": model,
                "dataset": run.dataset, "chosen": run.chosen, "seed": run.seed, "training": training,
                "save_minutes": self.config.cluster.save_minutes,
            }
        )  # fmt: skip
        return TrackedJob(Untracked(job.canonical()), job.identity)
