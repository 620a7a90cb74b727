"""Jobs of tables, figures, scorecard and report."""

from collections.abc import Callable
from typing import Any

import yaml
from pydantic import ValidationError

from valuedrift.config.base import Closed
from valuedrift.config.explain import explain
from valuedrift.config.figures import (
    AblationFigure,
    AblationJob,
    AblationPoint,
    FigureJob,
    ForestFigure,
    ForestJob,
    Panel,
    PhaseOfPanel,
    TrajectoryFigure,
)
from valuedrift.config.report import JudgeComparisonJob, ReportJob, VerdictsJob
from valuedrift.config.scorecard import ReferenceRun, ScorecardJob
from valuedrift.config.tables import (
    CategoriesTable,
    CategoriesTableJob,
    ColumnGroup,
    ContrastTable,
    ContrastTableJob,
    DownstreamTable,
    DownstreamTableJob,
    DriftTable,
    DriftTableJob,
    PairsTable,
    PairsTableJob,
    QualityTable,
    QualityTableJob,
    SampleRow,
    SamplesTable,
    SamplesTableJob,
    ScoreRow,
    SensitivityTable,
    SensitivityTableJob,
    TopicsTable,
    TopicsTableJob,
    ValueTextsTable,
    ValueTextsTableJob,
)
from valuedrift.errors import UserError
from valuedrift.study.jobs.base import NOT_DECISIVE, StudyJobs
from valuedrift.study.lineage import Run


class ReportJobs(StudyJobs):
    def table(self, name: str) -> str:
        block = self.config.tables[name]
        makers: dict[str, Callable[..., Closed]] = {
            "drift": self._drift_table, "categories": self._categories_table, "topics": self._topics_table,
            "value_texts": self._value_texts_table, "samples": self._samples_table, "pairs": self._pairs_table,
            "downstream": self._downstream_table, "quality": self._quality_table,
            "sensitivity": self._sensitivity_table, "contrast": self._contrast_table,
        }  # fmt: skip
        return makers[block.kind](block).canonical()

    def table_command(self, name: str) -> str:
        """Return the command of the report that makes a table."""
        return f"{self.config.tables[name].kind}_table"

    def figure_command(self, name: str) -> str:
        """Return the command of the report that draws a figure."""
        return {"trajectory": "figure"}.get(kind := self.config.figures[name].kind, kind)

    def _drift_table(self, table: DriftTable) -> DriftTableJob:
        columns = [ColumnGroup(headings=list(above), run=self.study.shown(run)) for above, run in table.runs().items()]
        return DriftTableJob(
            columns=columns, metrics=table.metrics, categories=table.categories or self.study.categories,
            judge=table.judge or self.study.judge, caption=table.caption, interval=table.interval, verdicts=table.verdicts,
            confidence=self.config.values.confidence, margin=self.config.drift.margin, correction=self.config.drift.correction,
            times=self.config.drift.times,
        )  # fmt: skip

    def _contrast_table(self, table: ContrastTable) -> ContrastTableJob:
        return ContrastTableJob(
            caption=table.caption, interval=table.interval, confidence=self.config.values.confidence,
            margin=self.config.drift.margin, correction=self.config.drift.correction,
        )  # fmt: skip

    def _categories_table(self, table: CategoriesTable) -> CategoriesTableJob:
        return CategoriesTableJob(categories=list(self.config.prompts.categories), caption=table.caption)

    def _topics_table(self, table: TopicsTable) -> TopicsTableJob:
        topics = [(name, category.topic) for name, category in self.config.prompts.categories.items()]
        return TopicsTableJob(topics=topics, caption=table.caption)

    def _value_texts_table(self, table: ValueTextsTable) -> ValueTextsTableJob:
        texts = [(name, v.support, v.oppose) for name, v in self.value_texts.items()]
        return ValueTextsTableJob(texts=texts, caption=table.caption)

    def _samples_table(self, table: SamplesTable) -> SamplesTableJob:
        rows = [SampleRow(headings=list(above), run=run) for above, run in table.runs().items()]
        return SamplesTableJob(
            category=table.category, rows=rows, prompt=table.prompt, longest=table.longest, seed=self.config.seed,
            caption=table.caption,
        )  # fmt: skip

    def _pairs_table(self, table: PairsTable) -> PairsTableJob:
        return PairsTableJob(
            categories=table.categories, longest=table.longest,
            max_malformed=self.config.datasets[table.dataset].max_malformed, seed=self.config.seed, caption=table.caption,
        )  # fmt: skip

    def _downstream_table(self, table: DownstreamTable) -> DownstreamTableJob:
        rows = [ScoreRow(headings=list(above), runs=self.study.replicates(run)) for above, run in table.runs().items()]
        first = {run: self.study.runs[run].lineage[0].id for row in rows for run in row.runs}
        bases = {run: base for run, base in first.items() if run != base and base in first}
        return DownstreamTableJob(rows=rows, tasks=list(self.config.downstream.tasks), bases=bases, caption=table.caption)

    def _quality_table(self, table: QualityTable) -> QualityTableJob:
        rows = [ScoreRow(headings=list(above), runs=self.study.replicates(run)) for above, run in table.runs().items()]
        return QualityTableJob(
            rows=rows, checkpoints=table.checkpoints, categories=table.categories or self.study.categories, caption=table.caption
        )

    def _sensitivity_table(self, table: SensitivityTable) -> SensitivityTableJob:
        rows = [ScoreRow(headings=list(above), runs=self.study.replicates(run)) for above, run in table.runs().items()]
        return SensitivityTableJob(
            rows=rows, stance=table.stance, categories=table.categories or self.study.categories, min_mass=table.min_mass,
            values=self.config.values, seed=self.config.seed, caption=table.caption,
        )  # fmt: skip

    def figure(self, name: str) -> str:
        figure = self.config.figures[name]
        if isinstance(figure, AblationFigure):
            return self._ablation(name, figure).canonical()
        return (self._forest(figure) if isinstance(figure, ForestFigure) else self._trajectories(figure)).canonical()

    def _forest(self, figure: ForestFigure) -> ForestJob:
        of = self.config.contrasts[figure.contrast].of
        return ForestJob(of=of, margin=self.config.drift.margin, columns=figure.columns, style=self.config.style)

    def _trajectories(self, figure: TrajectoryFigure) -> FigureJob:
        panels = [self._panel(heading, self.study.runs[run]) for heading, run in figure.panels.items()]
        judge = figure.judge or self.study.judge
        return FigureJob(category=figure.category, panels=panels, columns=figure.columns, judge=judge, style=self.config.style)

    def _panel(self, heading: str, run: Run) -> Panel:
        """Return a figure's panel: the phases of the run's lineage, each under every seed that the run has."""
        lineages = [self.study.runs[replicate].lineage for replicate in self.study.replicates(run.id)]
        phases = [list(dict.fromkeys(lineage[i].id for lineage in lineages)) for i in range(len(run.lineage))]
        shown = zip(phases, run.lineage, strict=True)
        labelled = [PhaseOfPanel(**self._pooled(runs), label=p.method) for runs, p in shown if p.algorithm != "base"]
        return Panel(heading=heading, base=run.lineage[0].id, phases=labelled)

    def _pooled(self, runs: list[str]) -> dict[str, Any]:
        """Return `run` and `seeds` of a part of a figure that shows these replicates of one run."""
        return {"run": self.study.shown(self.study.runs[runs[0]].plain), "seeds": runs} if len(runs) > 1 else {"run": runs[0]}

    def _ablation(self, name: str, figure: AblationFigure) -> AblationJob:
        runs = [self.study.runs[run] for run in figure.runs]
        points = [
            AblationPoint(value=self._value(name, figure, run), **self._pooled(self.study.replicates(run.id))) for run in runs
        ]
        if len({point.value for point in points}) < len(points):
            raise UserError(f"config: `figures.{name}.runs`: two of them have the same {figure.parameter}")
        parents = [self.study.runs[seed].parent for run in runs for seed in self.study.replicates(run.id)]
        found = list(dict.fromkeys(parent.id for parent in parents if parent))
        if None in parents or len({self.study.runs[parent].plain for parent in found}) != 1:
            raise UserError(f"config: `figures.{name}.runs`: an ablation's runs start from one and the same run")
        if len({self._rest(figure, run) for run in runs}) > 1:
            raise UserError(f"config: `figures.{name}.runs`: these differ in more than {figure.parameter}")
        return AblationJob(
            parameter=figure.parameter, categories=figure.categories, points=points,
            parent=self._pooled(found)["run"], stance=figure.stance,
            judge=figure.judge or self.study.judge, style=self.config.style,
        )  # fmt: skip

    @staticmethod
    def _rest(figure: AblationFigure, run: Run) -> str:
        """Return a description of the run without the ablation's parameter, equal for runs that differ in nothing else."""
        training = run.training.model_dump(exclude={figure.parameter}) if run.training else None
        return repr((run.algorithm, run.chosen, None if figure.parameter == "share" else run.dataset, training))

    def _value(self, name: str, figure: AblationFigure, run: Run) -> float:
        if figure.parameter == "share" and run.dataset in self.study.mixtures:
            return self.study.mixtures[run.dataset][1]
        value = getattr(run.training, figure.parameter, None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"config: `figures.{name}.parameter`: the training of {run.id} has no number `{figure.parameter}`")
        return float(value)

    def scorecard(self) -> str:
        card = self.config.scorecard
        assert card
        runs = [r for run in self.study.runs.values() if (r := self._reference(run)) is not None]
        try:
            job = ScorecardJob(
                drift=card.drift, downstream=card.downstream, faults=card.faults, prompts=card.prompts,
                confidence=self.config.values.confidence, judge=self.study.judge, runs=runs,
            )  # fmt: skip
        except ValidationError as error:
            raise UserError(explain(error, ScorecardJob, prefix="scorecard.")) from None
        return job.canonical()

    def _reference(self, run: Run) -> ReferenceRun | None:
        """Return the paper's run that this one corresponds to; None for a replicate, a run with a label and other lineages."""
        phases = [one.phase for one in run.lineage]
        plain = all(one.label is None for one in run.lineage)
        if run.plain != run.id or not plain or phases not in (["base"], ["base", "sft"], ["base", "sft", "po"]):
            return None
        assert self.config.scorecard
        sft, po = [*run.lineage, None, None][1:3]
        return ReferenceRun(
            runs=self.study.replicates(run.id), drift=self.study.shown(run.id), phase=run.algorithm,
            model=self.config.scorecard.models.get(run.model, run.model),
            sft_dataset=sft.dataset if sft else None, preference_dataset=po.dataset if po else None,
            chosen=po.chosen if po else None,
        )  # fmt: skip

    def judge_comparison(self) -> str:
        return JudgeComparisonJob(
            study=self.config.study, judge=self.study.judge,
            judges=[name for name in self.config.judges if name != self.study.judge], categories=self.study.categories,
            runs=list(self.study.runs), children=[run.id for run in self.study.runs.values() if run.parent],
            values=self.config.values, seed=self.config.seed,
        ).canonical()  # fmt: skip

    def report(self) -> str:
        config, report = self.config, self.config.report
        return ReportJob(
            study=config.study, title=self.title, description=config.description, seed=config.seed,
            samples=report.samples, judge=self.study.judge, categories=self.study.categories, runs=list(self.study.runs),
            pooled=bool(self.study.pooled), drifts=self.study.counted_drifts,
            tables=[(name, table.kind, table.caption) for name, table in config.tables.items()],
            figures=[(name, figure.caption) for name, figure in config.figures.items()], appendices=report.appendices,
            expected={name: {str(s): n for s, n in d.expected.items()} for name, d in config.datasets.items() if d.expected},
            values=config.values,
            algorithms={self.study.shown(run.plain): run.method for run in self.study.runs.values() if run.method},
            margin=config.drift.margin,
            config=self._settings(),
        ).canonical()  # fmt: skip

    def verdicts(self) -> str:
        return VerdictsJob(
            judge=self.study.judge, categories=self.study.categories, runs=self.study.counted_drifts, style=self.config.style
        ).canonical()

    def _settings(self) -> str:
        """Return the settings that every result depends on, as YAML. A training's own are in its manifest, and a key that no step
        reads, or that does not change a result, must not rerun the report either."""
        shown = self.config.model_dump(
            mode="json",
            include={"models", "prompts", "generation", "judges", "values", "drift"},
            exclude={"generation": NOT_DECISIVE, "judges": dict.fromkeys(self.config.judges, NOT_DECISIVE)},
        )
        return str(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))
