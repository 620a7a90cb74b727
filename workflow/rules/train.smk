# Trainings: each rule makes a trajectory, a final model, a training log and the manifest, which is what later rules depend on. The name
# of a rule is the command of `valuedrift.train`, so an algorithm like SFT or DPO is a rule with its own source files and runs.


rule base:
    input:
        model=lambda wildcards: inputs.base_model(wildcards.run),
    output:
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=pattern(study.ids("base")),
    conda:
        "../../envs/train.yaml"
    resources:
        **resources_of("base"),
    params:
        sources=sources("train.base"),
        config=lambda wildcards: jobs.base(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "python -m valuedrift.train base --config {params.config:q} --output {params.folder:q} > {log:q} 2>&1"


rule external:
    input:
        checkpoints=lambda wildcards: inputs.external_checkpoints(wildcards.run),
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=pattern(study.ids("external")),
    conda:
        "../../envs/train.yaml"
    resources:
        **resources_of("external"),
    params:
        sources=sources("train.external"),
        config=lambda wildcards: jobs.external(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "python -m valuedrift.train external --config {params.config:q} --output {params.folder:q} > {log:q} 2>&1"


rule sft:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
        training_log=f"{RUN}/training_log.parquet",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=pattern(study.ids("sft")),
    conda:
        "../../envs/train.yaml"
    threads: threads_of("sft")
    resources:
        **resources_of("sft"),
    params:
        sources=sources("train.sft"),
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run).config,
        tracked=lambda wildcards: jobs.training(wildcards.run).tracked,
        folder=lambda wildcards: study.folder_of(wildcards.run),
        # Not {rule}, of which snakemake --lint warns.
        command=lambda wildcards: study.runs[wildcards.run].algorithm,
    shell:
        "{params.launch} -m valuedrift.train {params.command} --config {params.config:q} --parent {input.parent:q} --data {input.data:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


use rule sft as dpo with:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    wildcard_constraints:
        run=pattern(study.ids("dpo")),
    params:
        sources=sources("train.dpo"),


use rule sft as simpo with:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    wildcard_constraints:
        run=pattern(study.ids("simpo")),
    params:
        sources=sources("train.simpo"),


use rule sft as kto with:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    wildcard_constraints:
        run=pattern(study.ids("kto")),
    params:
        sources=sources("train.kto"),


use rule sft as orpo with:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    wildcard_constraints:
        run=pattern(study.ids("orpo")),
    params:
        sources=sources("train.orpo"),


use rule sft as reward with:
    input:
        parent=lambda wildcards: inputs.parent_manifest(
            study.rewards[wildcards.reward].id
        ),
        data=lambda wildcards: inputs.reward_data(wildcards.reward),
    output:
        trajectory=directory(f"{R}/rewards/{{reward}}/trajectory"),
        final=directory(f"{R}/rewards/{{reward}}/final"),
        manifest=f"{R}/rewards/{{reward}}/manifest.json",
        training_log=f"{R}/rewards/{{reward}}/training_log.parquet",
    log:
        f"{R}/logs/rewards/{{reward}}.log",
    wildcard_constraints:
        reward=pattern(study.rewards),
    threads: threads_of("reward")
    resources:
        **resources_of("reward"),
    params:
        sources=sources("train.reward"),
        launch=launch,
        config=lambda wildcards: jobs.reward(wildcards.reward).config,
        tracked=lambda wildcards: jobs.reward(wildcards.reward).tracked,
        folder=lambda wildcards: f"{R}/rewards/{wildcards.reward}",
        command="reward",


rule ppo:
    input:
        parent=lambda wildcards: inputs.parent_manifest(wildcards.run),
        reward=lambda wildcards: inputs.reward_manifest(wildcards.run),
        data=lambda wildcards: inputs.training_data(wildcards.run),
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
        training_log=f"{RUN}/training_log.parquet",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=pattern(study.ids("ppo")),
    conda:
        "../../envs/train.yaml"
    threads: threads_of("ppo")
    resources:
        **resources_of("ppo"),
    params:
        sources=sources("train.ppo"),
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run).config,
        tracked=lambda wildcards: jobs.training(wildcards.run).tracked,
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "{params.launch} -m valuedrift.train ppo --config {params.config:q} --parent {input.parent:q} --reward {input.reward:q}"
        " --data {input.data:q} --output {params.folder:q} > {log:q} 2>&1"
