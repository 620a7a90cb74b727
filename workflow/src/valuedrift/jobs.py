"""What each step of a study is told: exactly the part of the config that the step reads, as canonical JSON."""

from typing import Any

import yaml

from valuedrift.config.base import Closed
from valuedrift.config.measuring import DriftJob, GenerationJob, JudgeJob, ValuesJob
from valuedrift.config.miniature import MiniatureConfig, RecoveryJob
from valuedrift.config.prompts import CategoriesJob, CategoryEmbeddingJob, ReductionJob, SampleJob
from valuedrift.config.report import ColumnGroup, FigureJob, Panel, PhaseOfPanel, ReportJob, TableJob
from valuedrift.config.training import JOBS, BaseJob, DatasetJob, TrainingConfig
from valuedrift.errors import UserError
from valuedrift.study import Run, Study

ORACLE = "valuedrift.miniature.oracle:judge"
PHASE_LABELS = {"sft": "SFT", "ppo": "PPO", "dpo": "DPO", "simpo": "SimPO"}


class Jobs:
    """The jobs of one study; every method returns the string that Snakemake compares."""

    def __init__(self, study: Study) -> None:
        self.study, self.config = study, study.config

    def dataset(self, name: str) -> str:
        return _seeded(DatasetJob, self.config.datasets[name], self.config.seed)

    def reduction(self) -> str:
        return _seeded(ReductionJob, self.config.prompts.reduction, self.config.seed)

    def category_embeddings(self) -> str:
        categories = self.config.prompts.categories.items()
        texts = {name: f"{name}: {category.topic}. {category.description}".strip() for name, category in categories}
        return CategoryEmbeddingJob(embedding=self.config.prompts.embedding, texts=texts).canonical()

    def categories(self) -> str:
        prompts = self.config.prompts
        clusters = {name: category.clusters for name, category in prompts.categories.items()}
        return CategoriesJob(clusters=clusters, min_similarity=prompts.min_similarity).canonical()

    def sample(self) -> str:
        prompts = self.config.prompts
        topics = {name: category.topic for name, category in prompts.categories.items()}
        return SampleJob(seed=self.config.seed, per_category=prompts.per_category, topics=topics).canonical()

    def base(self, run: str) -> str:
        model = self.config.models[self.study.runs[run].model]
        return BaseJob(run=run, model=model, seed=self.config.seed).canonical()

    def training(self, run: str) -> str:
        found = self.study.runs[run]
        assert found.training
        return self._training(run, found, found.algorithm, found.training)

    def reward(self, reward: str) -> str:
        return self._training(reward, self.study.rewards[reward], "reward", self.config.training.reward)

    def _training(self, name: str, run: Run, algorithm: str, training: TrainingConfig) -> str:
        assert run.parent and run.dataset
        job = JOBS[algorithm].model_validate(
            {
                "run": name, "parent": run.parent.id, "algorithm": algorithm, "model": self.config.models[run.model],
                "dataset": run.dataset, "chosen": run.chosen, "seed": self.config.seed, "training": training,
            }
        )  # fmt: skip
        return job.canonical()

    def generation(self, run: str) -> str:
        model = self.config.models[self.study.runs[run].model]
        return GenerationJob(
            run=run, seed=self.config.seed, dtype=model.dtype, trust_remote_code=model.trust_remote_code,
            generation=self.config.generation,
        ).canonical()  # fmt: skip

    def judge(self, run: str, name: str) -> str:
        return JudgeJob(run=run, name=name, judge=self.config.judges[name]).canonical()

    def miniature(self, *keys: str) -> str:
        """The keys of the miniature that a step of it reads; the others stand at their defaults."""
        values = {key: getattr(self.config.miniature, key) for key in keys}
        return MiniatureConfig.model_validate({"folder": "", **values}).canonical()

    def recovery(self) -> str:
        oracle = next((name for name, judge in self.config.judges.items() if judge.function == ORACLE), None)
        if oracle is None:
            raise UserError(f"config: `judges`: the recovery table needs a judge with `function: {ORACLE}`")
        corpora = {run.id: run.dataset or "base" for run in self.study.of("base", "sft")}
        return RecoveryJob(oracle=oracle, judge=self.study.judge, runs=list(self.study.runs), corpora=corpora).canonical()

    def values(self) -> str:
        return ValuesJob(values=self.config.values, seed=self.config.seed).canonical()

    def drift(self) -> str:
        return DriftJob(values=self.config.values, drift=self.config.drift, seed=self.config.seed).canonical()

    def table(self, name: str) -> str:
        table = self.config.tables[name]
        return TableJob(
            columns=[ColumnGroup(headings=list(headings), run=run) for headings, run in table.runs().items()],
            metrics=table.metrics, categories=table.categories or self.study.categories, judge=table.judge or self.study.judge,
            caption=table.caption,
        ).canonical()  # fmt: skip

    def figure(self, name: str) -> str:
        figure = self.config.figures[name]
        panels = [self._panel(heading, self.study.runs[run]) for heading, run in figure.panels.items()]
        judge = figure.judge or self.study.judge
        return FigureJob(category=figure.category, panels=panels, judge=judge, style=self.config.style).canonical()

    def _panel(self, heading: str, run: Run) -> Panel:
        base, *phases = run.lineage
        labels = [PhaseOfPanel(run=phase.id, label=PHASE_LABELS[phase.algorithm]) for phase in phases]
        return Panel(heading=heading, base=base.id, phases=labels)

    def report(self) -> str:
        config, report = self.config, self.config.report
        return ReportJob(
            study=config.study, title=report.title or config.study, description=config.description, seed=config.seed,
            samples=report.samples, judge=self.study.judge, categories=self.study.categories, runs=list(self.study.runs),
            tables=[(name, table.caption) for name, table in config.tables.items()],
            figures=[(name, figure.caption) for name, figure in config.figures.items()], appendices=report.appendices,
            config=self._settings(),
        ).canonical()  # fmt: skip

    def _settings(self) -> str:
        """The settings that every result depends on, as YAML. Those of a training stand in its manifest, and a key that no step
        reads must not rerun the report either."""
        shown = self.config.model_dump(mode="json", include={"models", "prompts", "generation", "judges", "values", "drift"})
        return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))


def _seeded(job: type[Closed], block: Closed, seed: int) -> str:
    values: dict[str, Any] = block.model_dump() | {"seed": seed}
    return job.model_validate(values).canonical()
