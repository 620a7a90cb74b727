# Shared by every file here: the study, its folders, and what typed Python says of its jobs, their inputs and their environments.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.resources import Resource

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from valuedrift.config.load import read_files
from valuedrift.manage.snapshot import Snapshot
from valuedrift.manage.start import OneLineErrors
from valuedrift.sizing import Sizing
from valuedrift.study.environments import Environments
from valuedrift.study.inputs import Inputs, options
from valuedrift.study.jobs import Jobs
from valuedrift.study.jobs.base import Untracked
from valuedrift.study.load import load_study
from valuedrift.study.study import REPLICATE, pattern

with OneLineErrors():
    # Snakemake has merged them, without a word about a key that is there twice. A pipe cannot be read again.
    read_files(
        list(filter(Path.is_file, map(Path, workflow.config_settings.configfiles)))
    )
    snapshot = Snapshot(Path(workflow.basedir), config)
    sources = snapshot.sources
    study = load_study(config)
    # Rules take their config by function: a string would have its {prompt} and {topic} filled in as wildcards.
    jobs = Jobs(study)
    Sizing(study)

snapshot = Snapshot(Path(workflow.basedir), config)
sources = snapshot.sources

inputs = Inputs(study)
environments = Environments(
    study,
    Path(workflow.basedir),
    deployed=bool(workflow.deployment_settings.deployment_method),
)

if workflow.remote_exec:
    # A cluster's job does its own step. By these it would do what lies above anew, next to the jobs of others, where a file was edited.
    type(workflow).rerun_triggers = frozenset()

R = str(study.folder)
P = f"{R}/prompts"
S = f"{R}/synthetic"
RUN = f"{R}/runs/{{run}}"

# A job that calls a service may use its whole rate limit, so one of them runs at a time; `--resources api=2` allows two.
if "api" not in workflow.global_resources:
    workflow.register_resource("api", Resource("api", 1))

shell.prefix(environments.shell_prefix())


wildcard_constraints:
    run=pattern(study.runs),
    judge=pattern(study.config.judges),
    table=pattern(study.config.tables),
    figure=pattern(study.config.figures),
    task=pattern(study.config.downstream.tasks),
    again=f"({REPLICATE})?",
