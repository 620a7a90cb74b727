"""Jobs of values and drift."""

from valuedrift.config.drift import ContrastJob, ContrastPair, DriftJob, NoiseJob, PooledDriftJob, PooledValuesJob, ValuesJob
from valuedrift.study.jobs.base import StudyJobs


class DriftJobs(StudyJobs):
    def values(self) -> str:
        return ValuesJob(values=self.config.values, seed=self.config.seed).canonical()

    def drift(self) -> str:
        return DriftJob(values=self.config.values, drift=self.config.drift, seed=self.config.seed).canonical()

    def pooled_values(self, run: str) -> str:
        return PooledValuesJob(values=self.config.values, seed=self.config.seed, run=run).canonical()

    def pooled_drift(self, run: str) -> str:
        return PooledDriftJob(values=self.config.values, drift=self.config.drift, seed=self.config.seed, run=run).canonical()

    def contrast(self, name: str) -> str:
        block, drift = self.config.contrasts[name], self.config.drift
        sides = self.study.contrasted(name)
        return ContrastJob(
            pairs=[ContrastPair(heading=heading, first=first, second=second) for heading, (first, second) in sides.items()],
            of=block.of, categories=block.categories or self.study.categories, values=self.config.values, margin=drift.margin,
            correction=drift.correction, seed=self.config.seed,
        ).canonical()  # fmt: skip

    def noise(self) -> str:
        drift, children = self.config.drift, [run.id for run in self.study.runs.values() if run.parent]
        return NoiseJob(
            judge=self.study.judge, children=children, values=self.config.values, margin=drift.margin,
            correction=drift.correction, seed=self.config.seed,
        ).canonical()  # fmt: skip
