"""Jobs of data, training, measuring and drift, and of the miniature."""

from valuedrift.config.algorithms import job_model
from valuedrift.config.data import DatasetJob, MixtureJob
from valuedrift.config.downstream import DownstreamDataJob, DownstreamJob, TaskData
from valuedrift.config.drift import DriftJob, ValuesJob
from valuedrift.config.generate import GenerationJob
from valuedrift.config.judge import JudgeJob
from valuedrift.config.miniature import MiniatureConfig, RecoveryJob
from valuedrift.config.train import BaseJob, ExternalJob, TrainingConfig
from valuedrift.errors import UserError
from valuedrift.study.jobs.base import HOW, StudyJobs, Untracked, tracked
from valuedrift.study.lineage import Run

ORACLE = "valuedrift.miniature.oracle:judge"


class TrainingJobs(StudyJobs):
    def dataset(self, name: str) -> str:
        dataset = self.config.datasets[name]
        path = self.study.dataset_at(dataset.path, dataset.revision)
        return self.seeded(DatasetJob, dataset.model_copy(update={"path": path, "expected": None}))

    def mixture(self, name: str) -> str:
        key, share = self.study.mixtures[name]
        return MixtureJob(share=share, rows=self.config.mixtures[key].rows, seed=self.config.seed).canonical()

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

    def training(self, run: str) -> tuple[Untracked, str]:
        """The job, and what of it decides the weights."""
        found = self.study.runs[run]
        assert found.training
        return self._training(run, found, found.algorithm, found.training)

    def reward(self, reward: str) -> tuple[Untracked, str]:
        """The job of a reward model, and what of it decides the weights."""
        return self._training(reward, self.study.rewards[reward], "reward", self.config.training.of("reward"))

    def _training(self, name: str, run: Run, algorithm: str, training: TrainingConfig) -> tuple[Untracked, str]:
        assert run.parent and run.dataset
        model = self.study.models[run.model].model_copy(update={"parameters": None})
        job = job_model(algorithm).model_validate(
            {
                "run": name, "parent": run.parent.id, "algorithm": algorithm, "model": model,
                "dataset": run.dataset, "chosen": run.chosen, "seed": run.seed, "training": training,
                "save_minutes": self.config.cluster.save_minutes,
            }
        )  # fmt: skip
        return Untracked(job.canonical()), job.identity

    def generation(self, run: str) -> tuple[Untracked, str]:
        """The job, and what of it decides the responses."""
        model = self.study.models[self.study.runs[run].model]
        job = GenerationJob(
            run=run, seed=self.config.seed, dtype=model.dtype, trust_remote_code=model.trust_remote_code,
            generation=self.config.generation,
        )  # fmt: skip
        generation = self.config.generation.model_dump(mode="json", exclude=HOW)
        return Untracked(job.canonical()), tracked(job, generation=generation)

    def judge(self, run: str, name: str) -> tuple[Untracked, str]:
        """The job, and what of it decides the stances."""
        judge = self.config.judges[name]
        if judge.path:
            judge = judge.model_copy(update={"path": self.study.model_at(judge.path, judge.revision)})
        chat = self.study.chat(judge.chat) if judge.chat else None
        job = JudgeJob(run=run, name=name, seed=self.config.seed, judge=judge, chat=chat)
        decisive = judge.model_dump(mode="json", exclude=HOW | {"chat"})
        return Untracked(job.canonical()), tracked(job, judge=decisive, chat=chat.identity if chat else None)

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

    def values(self) -> str:
        return ValuesJob(values=self.config.values, seed=self.config.seed).canonical()

    def drift(self) -> str:
        return DriftJob(values=self.config.values, drift=self.config.drift, seed=self.config.seed).canonical()

    def miniature(self, *keys: str) -> str:
        """The keys of the miniature that a step of it reads; the others stand at their defaults."""
        values = {key: getattr(self.config.miniature, key) for key in keys}
        return MiniatureConfig.model_validate({"folder": "", **values}).canonical()

    def recovery(self) -> str:
        oracle = next((name for name, judge in self.config.judges.items() if judge.function == ORACLE), None)
        if oracle is None:
            raise UserError(f"config: `judges`: the recovery table needs a judge with `function: {ORACLE}`")
        corpora = {run.id: run.dataset or "base" for run in self.study.runs.values() if run.phase in ("base", "sft")}
        return RecoveryJob(oracle=oracle, judge=self.study.judge, runs=list(self.study.runs), corpora=corpora).canonical()
