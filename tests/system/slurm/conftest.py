"""A cluster; a study that was run without it; and the same study, run on it while things go wrong."""

import shutil
from collections.abc import Iterator

import pytest
from events import Story, tell
from study import TARGETS, study
from through_profile import ClusterClone

from clone import Clone, copy_repository
from cluster import Cluster, Unavailable, running

TOLD: list[str] = []


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    try:
        with running(tmp_path_factory.mktemp("cluster")) as cluster:
            yield cluster
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def reference(tmp_path_factory, cluster) -> Clone:
    """The study, run on this machine alone."""
    clone = copy_repository(tmp_path_factory.mktemp("reference"))
    clone.run(study(), *TARGETS)
    return clone


@pytest.fixture(scope="session")
def story(tmp_path_factory, cluster, reference) -> Story:
    """The study, run through the profile from its world, data and prompts on; what happened meanwhile."""
    folder = tmp_path_factory.mktemp("study") / "clone"
    shutil.copytree(reference.folder, folder, symlinks=True)
    clone = ClusterClone(folder, cluster)
    for measured in ("runs", "rewards", "tables"):
        shutil.rmtree(clone.results / measured)
    (clone.results / "drift.parquet").unlink()
    story = tell(clone)
    TOLD.extend(story.lines())
    return story


def pytest_terminal_summary(terminalreporter) -> None:
    """What went wrong, how SLURM's job ended, and after how long the step was done."""
    for line in TOLD:
        terminalreporter.write_line(line)
