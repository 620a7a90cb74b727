"""Jobs of training sets."""

from valuedrift.config.data import DatasetJob, MixtureJob
from valuedrift.study.jobs.base import StudyJobs


class DataJobs(StudyJobs):
    def dataset(self, name: str) -> str:
        dataset = self.config.datasets[name]
        path = self.study.dataset_at(dataset.path, dataset.revision)
        return self.seeded(DatasetJob, dataset.model_copy(update={"path": path, "expected": None}))

    def mixture(self, name: str) -> str:
        key, share = self.study.mixtures[name]
        return MixtureJob(share=share, rows=self.config.mixtures[key].rows, seed=self.config.seed).canonical()
