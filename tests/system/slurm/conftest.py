"""A cluster, a study that was run without it, and the same study run on it while jobs, nodes and Snakemake fail."""

import shutil
from collections.abc import Iterator

import pytest
from events import Story, run_through_failures
from through_profile import ClusterClone

from clone import Clone, copy_repository
from cluster import Cluster, Unavailable, running
from study import TARGETS, study
from warm_python import warm_python

EVENTS: list[str] = []


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
    with warm_python(clone.environment) as clone.python:
        clone.run(study(), *TARGETS)
    return clone


@pytest.fixture(scope="session")
def story(tmp_path_factory, cluster, reference) -> Story:
    """The study, run through the profile from its world, data and prompts on; what happened meanwhile."""
    folder = tmp_path_factory.mktemp("study") / "clone"
    clone = ClusterClone(reference.copy(folder).folder, cluster)
    for measured in ("runs", "rewards", "tables", "judges"):
        shutil.rmtree(clone.results / measured)
    (clone.results / "drift.parquet").unlink()
    story = run_through_failures(clone)
    EVENTS.extend(story.lines())
    return story


def pytest_terminal_summary(terminalreporter) -> None:
    """Print each failure, how SLURM reports the end of its job, and after how long the step was done."""
    for line in EVENTS:
        terminalreporter.write_line(line)
