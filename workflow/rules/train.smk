# Training: each rule leaves a trajectory, a final model, a log and the manifest that the rules below depend on.
RUN = f"{R}/runs/{{run}}"


def ids(*algorithms):
    """A wildcard constraint that matches the runs of these algorithms."""
    return Study.pattern(run.id for run in study.of(*algorithms))


def training_data(wildcards):
    return f"{R}/data/{study.runs[wildcards.run].dataset}.parquet"


def parent_manifest(wildcards):
    return of_parent(wildcards.run, "manifest.json")


rule base:
    input:
        source=sources("train.base"),
        model=lambda wildcards: study.local_folders(study.config.models[study.runs[wildcards.run].model].path),
    output:
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
    params:
        config=lambda wildcards: jobs.base(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    wildcard_constraints:
        run=ids("base"),
    log:
        f"{R}/logs/train/{{run}}.log",
    conda:
        "../../envs/train.yaml"
    shell:
        "python -m valuedrift.train base --config {params.config:q} --output {params.folder} > {log} 2>&1"


rule sft:
    input:
        source=sources("train.sft"),
        parent=parent_manifest,
        data=training_data,
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
        training_log=f"{RUN}/training_log.parquet",
    params:
        config=lambda wildcards: jobs.training(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="sft",
    wildcard_constraints:
        run=ids("sft"),
    log:
        f"{R}/logs/train/{{run}}.log",
    conda:
        "../../envs/train.yaml"
    shell:
        "python -m valuedrift.train {params.command} --config {params.config:q} --parent {input.parent} --data {input.data}"
        " --output {params.folder} > {log} 2>&1"


use rule sft as dpo with:
    input:
        source=sources("train.dpo"),
        parent=parent_manifest,
        data=training_data,
    params:
        config=lambda wildcards: jobs.training(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="dpo",
    wildcard_constraints:
        run=ids("dpo"),


use rule sft as simpo with:
    input:
        source=sources("train.simpo"),
        parent=parent_manifest,
        data=training_data,
    params:
        config=lambda wildcards: jobs.training(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="simpo",
    wildcard_constraints:
        run=ids("simpo"),


use rule sft as reward with:
    input:
        source=sources("train.reward"),
        parent=lambda wildcards: of_parent(study.rewards[wildcards.reward].id, "manifest.json"),
        data=lambda wildcards: f"{R}/data/{study.rewards[wildcards.reward].dataset}.parquet",
    output:
        trajectory=directory(f"{R}/rewards/{{reward}}/trajectory"),
        final=directory(f"{R}/rewards/{{reward}}/final"),
        manifest=f"{R}/rewards/{{reward}}/manifest.json",
        training_log=f"{R}/rewards/{{reward}}/training_log.parquet",
    params:
        config=lambda wildcards: jobs.reward(wildcards.reward),
        folder=lambda wildcards: f"{R}/rewards/{wildcards.reward}",
        command="reward",
    wildcard_constraints:
        reward=Study.pattern(study.rewards),
    log:
        f"{R}/logs/rewards/{{reward}}.log",


rule ppo:
    input:
        source=sources("train.ppo"),
        parent=parent_manifest,
        reward=lambda wildcards: f"{R}/rewards/{study.runs[wildcards.run].reward}/manifest.json",
        data=training_data,
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
        training_log=f"{RUN}/training_log.parquet",
    params:
        config=lambda wildcards: jobs.training(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    wildcard_constraints:
        run=ids("ppo"),
    log:
        f"{R}/logs/train/{{run}}.log",
    conda:
        "../../envs/train.yaml"
    shell:
        "python -m valuedrift.train ppo --config {params.config:q} --parent {input.parent} --reward {input.reward}"
        " --data {input.data} --output {params.folder} > {log} 2>&1"
