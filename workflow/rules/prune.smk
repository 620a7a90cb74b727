# Pruned trajectories: what needs one again trains it anew, only where the config allows it, and says so before any job runs.
from logging import Filter

from snakemake.logging import LogEvent

from valuedrift.manage.prune import is_pruned
from valuedrift.manage.retraining import check_retraining


def trajectory(wildcards):
    """A run's checkpoints. Those that were pruned are missed only where a job needs them, as a temp file is."""
    trained = study.runs[wildcards.run].algorithm != "base"
    return [f"{study.folder_of(wildcards.run)}/trajectory"] if trained else []


def parents_manifest(run):
    """The manifest of a run's parent, which does not bring back its children where only a pruned trajectory is made again."""
    manifest = of_parent(run, "manifest.json")
    again = study.config.allow_retrain and all(
        is_pruned(Path(path).parent) for path in manifest
    )
    return [ancient(path) for path in manifest] if again else manifest


def retraining():
    """Stops where trajectories are needed that may not be trained anew."""
    try:
        check_retraining(study, workflow.dag)
    except UserError as error:
        raise WorkflowError(str(error))


class Forewarning(Filter):
    """Says in a dry run, which calls no hook, what a real run would stop at: once, before the table of jobs."""

    def filter(self, record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO and workflow.dryrun:
            logger.removeFilter(self)
            try:
                retraining()
            except WorkflowError as error:
                logger.warning(str(error))
        return True


logger.addFilter(Forewarning())
