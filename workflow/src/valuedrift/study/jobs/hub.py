"""Jobs of downloads."""

from valuedrift.config.hub import AccessJob, HubItem
from valuedrift.study.jobs.base import StudyJobs


class HubJobs(StudyJobs):
    def access(self, folders: list[str], tasks: list[str]) -> str:
        """Return what must be reachable on the hub: the downloads to these folders, and the pinned datasets of these benchmarks."""
        models, datasets = (
            {downloads[folder] for folder in folders if folder in downloads}
            for downloads in (self.study.hub_models, self.study.hub_datasets)
        )
        blocks = [self.config.downstream.tasks[task] for task in tasks]
        datasets |= {item for block in blocks if block.data is None for item in block.revisions.items()}
        return AccessJob(
            models=[HubItem(name=name, revision=revision) for name, revision in sorted(models)],
            datasets=[HubItem(name=name, revision=revision) for name, revision in sorted(datasets)],
        ).canonical()

    def download(self, folder: str) -> str:
        name, revision = (self.study.hub_models | self.study.hub_datasets)[folder]
        return HubItem(name=name, revision=revision).canonical()
