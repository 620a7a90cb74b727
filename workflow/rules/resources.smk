# What jobs ask of their machine, and which of them run where Snakemake does.
import math
from functools import cache

from valuedrift.cluster.accelerate import launcher
from valuedrift.cluster.local_gpus import gpus_here
from valuedrift.cluster.partitions import longest, partitions, roomiest, unplaced


@cache
def sizing():
    """What the study's jobs need, once the executor is known: where jobs run here, none gets GPUs that are not here."""
    executor = workflow.executor_plugin and workflow.executor_plugin.name
    # Inside a SLURM job those that it got are here: they are used, should its need come out otherwise than when it was submitted.
    here = executor in ("local", "slurm-jobstep")
    return Sizing(study, gpus_here() if here else None)


# Also in a dry run, which has no executor: mistakes in the partitions of the profile.
PARTITIONS = Path("profiles/slurm/partitions.yaml")
if PARTITIONS.exists():
    try:
        partitions(PARTITIONS)
    except UserError as error:
        logger.warning(str(error))


def partition_file():
    """The file of the cluster's partitions, once the executor is known; a dry run has none."""
    return getattr(workflow.executor_settings, "partition_config", None)


def limit(of, need, partition):
    """The most that a partition gives, `longest` or `roomiest`."""
    path = partition_file()
    try:
        return of(path, need.gpus, partition) if path else math.inf
    except UserError as error:
        raise WorkflowError(str(error))


def minutes(need, attempt, partition):
    """Minutes to ask for: no more than a partition gives, since no node takes such a job; a training that is stopped goes on."""
    return int(min(need.minutes(attempt), limit(longest, need, partition)))


def megabytes(need, attempt, partition):
    """Memory to ask for: a retry asks for no more than a partition gives, but a first attempt that fits none is told beforehand."""
    return need.megabytes(attempt, limit(roomiest, need, partition))


def asked(need, partition=None):
    """Resources of a rule, from what `need(wildcards)` says that its job needs; memory and time grow with each attempt."""
    return {
        "gpu": lambda wildcards: need(wildcards).gpus,
        "mem_mb": lambda wildcards, attempt: megabytes(
            need(wildcards), attempt, partition
        ),
        "runtime": lambda wildcards, attempt: minutes(
            need(wildcards), attempt, partition
        ),
        **({"slurm_partition": partition} if partition else {}),
    }


def misplaced(needed):
    """Jobs that fit no partition, and a partition with a network whose time limit is not known."""
    if not (path := partition_file()):
        return []
    told = unplaced(path, (job for job in needed if not workflow.is_local(job.rule)))
    if (partition := network()) and partition not in partitions(path):
        told.append(
            f"`cluster.network: {partition}` is not in {path}: no time limit is known for its jobs"
        )
    return told


def of_training(wildcards):
    return sizing().training(study.runs[wildcards.run])


def of_reward(wildcards):
    return sizing().reward(wildcards.reward)


def of_base(wildcards):
    return sizing().base(study.runs[wildcards.run])


def launch(wildcards, resources, threads):
    """What starts a training on the GPUs that its job gets."""
    start = launcher(resources.gpu, study.config.cluster.strategy)
    # Snakemake gives each rank all of the job's cores.
    share = (
        f"OMP_NUM_THREADS={max(1, threads // resources.gpu)} "
        if resources.gpu > 1
        else ""
    )
    return Untracked(share + start)


def lacking(needed):
    """What to do about the trainings, samplers and judges among the jobs that do not fit their GPUs."""
    rules = ("sft", "ppo", "dpo", "simpo")
    runs = [study.runs[job.wildcards.run] for job in needed if job.rule.name in rules]
    rewards = [job.wildcards.reward for job in needed if job.rule.name == "reward"]
    sampled = [
        study.runs[job.wildcards.run]
        for job in needed
        if job.rule.name == "generations"
    ]
    judged = [
        (study.runs[job.wildcards.run], job.wildcards.judge)
        for job in needed
        if job.rule.name == "stances"
    ]
    asked = {study.config.judges[name].chat for _, name in judged} - {None}
    return sizing().lacking(runs, rewards) + sizing().lacking_engines(
        sampled, judged, asked
    )


def of_sampling(wildcards):
    return sizing().generation(study.runs[wildcards.run])


def of_judging(wildcards):
    return sizing().stances(study.runs[wildcards.run], wildcards.judge)


def of_benchmark(wildcards):
    return sizing().downstream(study.runs[wildcards.run], wildcards.task)


def of_dataset(wildcards):
    return sizing().dataset(wildcards.dataset)


def of_texts(wildcards):
    """A step on all prompts that curation begins with."""
    return sizing().tables()


def of_embedding(wildcards):
    return sizing().embedding(study.config.prompts.embedding)


def of_search(wildcards):
    return sizing().search()


def asks_outside(chat):
    """Whether a step that may ask a chat model asks a service, which needs a network."""
    return chat is not None and study.config.chats[chat].server is None


def beside(chat):
    """Whether a step that may ask a chat model runs where Snakemake does: it asks none, or a service that is reached from here."""
    return chat is None or (
        asks_outside(chat) and study.config.cluster.network == "local"
    )


def network():
    """The partition of jobs that ask a service, where not Snakemake's own machine asks."""
    partition = study.config.cluster.network
    return None if partition == "local" else partition


def asking(chat):
    """Resources of a step that may ask a chat model."""
    if chat is None:
        return {}
    return {
        **asked(
            lambda wildcards: sizing().asking(chat),
            network() if asks_outside(chat) else None,
        ),
        "api": asks_service(chat),
    }


def asking_threads(chat):
    return lambda wildcards: sizing().asking(chat).threads if chat else 1


def outside_judges():
    """Judges behind a service."""
    judges = study.config.judges.items()
    return [name for name, judge in judges if asks_outside(judge.chat)]


def asks_service(chat):
    """1 where a job asks a chat model live that other jobs ask too; a batch may take a day, and has no pace."""
    block = study.config.chats[chat] if chat else None
    return int(block is not None and block.server is None and not block.batch)
