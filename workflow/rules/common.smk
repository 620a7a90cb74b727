# Shared by every file here: the study, where its results lie, and how a step's sources become inputs.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

SOURCE_ROOT = Path(workflow.basedir) / "workflow" / "src"
sys.path.insert(0, str(SOURCE_ROOT))

from valuedrift.config.study import load_study_config
from valuedrift.errors import UserError
from valuedrift.jobs import Jobs
from valuedrift.sources import function_sources, sources as step_sources
from valuedrift.study import Study

try:
    study = Study(load_study_config(config))
    study.check_files()
except UserError as error:
    raise WorkflowError(str(error))

# Rules take their config by function: a string would have its {prompt} and {topic} filled in as wildcards.
jobs = Jobs(study)
R = str(study.folder)
P = f"{R}/prompts"
RUN = f"{R}/runs/{{run}}"


# Snakemake strips PYTHONPATH for conda jobs. Without conda a job's python is Snakemake's own, also where its environment is not
# activated. The rest keeps logs to what matters.
exports = [
    f"PYTHONPATH={quote(str(SOURCE_ROOT))}",
    "TQDM_DISABLE=1",
    "TRL_EXPERIMENTAL_SILENCE=1",
    "TOKENIZERS_PARALLELISM=false",
]
if not workflow.deployment_settings.deployment_method:
    exports.append(f'PATH={quote(str(Path(sys.executable).parent))}:"$PATH"')
shell.prefix(f"export {' '.join(exports)}; ")


def sources(step):
    """Source files of a step as inputs, relative to the working directory, so that a moved clone reruns nothing."""
    return [os.path.relpath(path) for path in step_sources(step)]


def ids(*algorithms):
    """A wildcard constraint that matches the runs of these algorithms."""
    return Study.pattern(run.id for run in study.of(*algorithms))


def of_parent(run, artifact):
    """The same artifact of the run's parent, or nothing for a base model."""
    parent = study.runs[run].parent
    return [f"{study.folder_of(parent.id)}/{artifact}"] if parent else []


def parent_manifest(wildcards):
    return of_parent(wildcards.run, "manifest.json")


def training_data(wildcards):
    return f"{R}/data/{study.runs[wildcards.run].dataset}.parquet"


def judge_inputs(wildcards):
    """What a judge is made of: its local weights, or the source files of its function."""
    judge = study.config.judges[wildcards.judge]
    if judge.path:
        return study.local_folders(judge.path)
    return [os.path.relpath(path) for path in function_sources(judge.function)]


wildcard_constraints:
    run=Study.pattern(study.runs),
    judge=Study.pattern(study.config.judges),
    table=Study.pattern(study.config.tables),
    figure=Study.pattern(study.config.figures),
