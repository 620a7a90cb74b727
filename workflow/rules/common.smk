# Shared by every file here: the study, where its results lie, and how a step's sources become inputs.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.resources import Resource

SOURCE_ROOT = Path(workflow.basedir) / "workflow" / "src"
sys.path.insert(0, str(SOURCE_ROOT))

from valuedrift.chat.spending import shutdown_warning
from valuedrift.study.load import load_study
from valuedrift.errors import UserError
from valuedrift.study.jobs import Jobs
from valuedrift.study.jobs.base import Untracked
from valuedrift.cluster.orphans import refuse_beside
from valuedrift.sizing import Sizing
from valuedrift.io.source_files import function_sources, sources as step_sources
from valuedrift.study.study import Study

try:
    study = load_study(config)
    # Rules take their config by function: a string would have its {prompt} and {topic} filled in as wildcards.
    jobs = Jobs(study)
    Sizing(study)
except UserError as error:
    raise WorkflowError(str(error))

R = str(study.folder)
P = f"{R}/prompts"
S = f"{R}/synthetic"
RUN = f"{R}/runs/{{run}}"


# Jobs that ask a service hold its whole pace, so one of them runs at a time; `--resources api=2` lets two.
if "api" not in workflow.global_resources:
    workflow.register_resource("api", Resource("api", 1))

# Snakemake strips PYTHONPATH for conda jobs. Without conda a job's python is Snakemake's own, also where its environment is not
# activated. The rest keeps logs to what matters.
VLLM = Path(workflow.basedir) / ".venv-vllm" / "bin"
exports = [
    f"PYTHONPATH={quote(str(SOURCE_ROOT))}",
    "TQDM_DISABLE=1",
    "HF_HUB_OFFLINE=1",  # only the download rules need a network
    "TRL_EXPERIMENTAL_SILENCE=1",
    "TOKENIZERS_PARALLELISM=false",
]
if not workflow.deployment_settings.deployment_method:
    exports.append(
        f'PATH={quote(str(Path(sys.executable).parent))}:"$PATH":{quote(str(VLLM))}'
    )
# SLURM's SIGTERM reaches the shell as well as its python: a shell without a trap dies of it, the job ends with it, and a training that
# was saving its state is killed or left behind. With one the shell waits for its python, whatever that does.
shell.prefix(f"trap : TERM; export {' '.join(exports)}; ")


def python_of(engine):
    """The interpreter of a job: vLLM has an installation of its own beside, unless conda or the user's own brings it."""
    beside = engine == "vllm" and not workflow.deployment_settings.deployment_method
    return Untracked(
        quote(str(VLLM / "python"))
        if beside and (VLLM / "python").exists()
        else "python"
    )


def env_of(engine, otherwise):
    """The conda env of a job that may run on vLLM."""
    return "../../envs/vllm.yaml" if engine == "vllm" else otherwise


def asking_env(chat):
    """The conda env of a job that may ask a chat model: what serves one is vLLM's."""
    served = chat and study.config.chats[chat].server
    return env_of("vllm" if served else "", "../../envs/prompts.yaml")


def judging_env(wildcards):
    judge = study.config.judges[wildcards.judge]
    served = judge.chat and study.config.chats[judge.chat].server
    return env_of("vllm" if served else judge.backend, "../../envs/generate.yaml")


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
    return parents_manifest(wildcards.run)


def training_data(wildcards):
    return f"{R}/data/{study.runs[wildcards.run].dataset}.parquet"


def raw_dataset(wildcards):
    """What a dataset is read from."""
    dataset = study.config.datasets[wildcards.dataset]
    return study.dataset_inputs(dataset.path, dataset.revision)


def mixed_set(mixture, part):
    """One of the two sets that a mixture is made of."""
    key, _ = study.mixtures[mixture]
    return f"{R}/data/{getattr(study.config.mixtures[key], part)}.parquet"


def synthetic_encoder():
    synthetic = study.config.synthetic
    return study.encoder_inputs(synthetic.embedding) if synthetic else []


def synthetic_chat_name():
    return study.config.synthetic.chat if study.config.synthetic else None


def synthetic_chat():
    return study.chat_inputs(synthetic_chat_name())


def synthetic_sources():
    """The preference sets among whose prompts is searched."""
    synthetic = study.config.synthetic
    return (
        [f"{R}/data/{name}.parquet" for name in synthetic.sources] if synthetic else []
    )


def base_model(wildcards):
    model = study.config.models[study.runs[wildcards.run].model]
    return study.model_inputs(model.path, model.revision)


def external_checkpoints(wildcards):
    external = study.config.external[study.runs[wildcards.run].model]
    return [
        file
        for step in external.checkpoints
        for file in study.model_inputs(*external.source(step))
    ]


def of_runs(artifact, runs):
    """The same artifact of several runs."""
    return [f"{study.folder_of(run)}/{artifact}" for run in runs]


def judge_inputs(wildcards):
    """What a judge is made of: its weights, those of its chat model's server, or the source files of its function."""
    judge = study.config.judges[wildcards.judge]
    if judge.chat:
        return study.chat_inputs(judge.chat)
    if judge.path:
        return study.model_inputs(judge.path, judge.revision)
    return [os.path.relpath(path) for path in function_sources(judge.function)]


def benchmark_scores(runs):
    """The scores of runs on every benchmark."""
    tasks = study.config.downstream.tasks
    return [
        path for task in tasks for path in of_runs(f"downstream/{task}.parquet", runs)
    ]


def tables_of(kind):
    """A wildcard constraint that matches the tables of a kind."""
    tables = study.config.tables.items()
    return Study.pattern(name for name, block in tables if block.kind == kind)


def figures_of(kind):
    """A wildcard constraint that matches the figures of a kind."""
    figures = study.config.figures.items()
    return Study.pattern(name for name, block in figures if block.kind == kind)


def pairs_of(dataset):
    """The file of synthetic pairs that a dataset is read from."""
    block = study.config.datasets[dataset]
    return study.dataset_at(block.path, block.revision)


def task_files(wildcards):
    """What a benchmark is read from, as far as it lies here: task files of one's own and its data."""
    downstream = study.config.downstream
    own = sorted(Path(downstream.include).glob("*.yaml")) if downstream.include else []
    data = downstream.tasks[wildcards.task].data
    return [*map(str, own), *([study.here(data)] if data else [])]


def reference_files():
    """The printed values that the scorecard compares with."""
    card = study.config.scorecard
    return (
        [path for path in (card.drift, card.downstream, card.faults) if path]
        if card
        else []
    )


def scorecard_files():
    return (
        [f"{R}/scorecard.csv", f"{R}/scorecard.html"] if study.config.scorecard else []
    )


def human_runs():
    return study.config.human.runs or list(study.runs)


def human_labels(wildcards):
    if not study.config.human.labels:
        raise WorkflowError(
            "config: `human.labels` names no file: make the labelling page with the target human_sample, let people"
            f" label {R}/human/label.html, and name the files that they saved"
        )
    return study.config.human.labels


def judges_files():
    several = len(study.config.judges) > 1
    return [f"{R}/judges.csv", f"{R}/judges.html"] if several else []


wildcard_constraints:
    run=Study.pattern(study.runs),
    judge=Study.pattern(study.config.judges),
    table=Study.pattern(study.config.tables),
    figure=Study.pattern(study.config.figures),
    task=Study.pattern(study.config.downstream.tasks),
