# Training: each rule leaves a trajectory, a final model, a log and the manifest that the rules below depend on.


rule base:
    input:
        source=sources("train.base"),
        model=base_model,
    output:
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=ids("base"),
    conda:
        "../../envs/train.yaml"
    resources:
        **asked(of_base),
    params:
        config=lambda wildcards: jobs.base(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "python -m valuedrift.train base --config {params.config:q} --output {params.folder} > {log} 2>&1"


rule external:
    input:
        source=sources("train.external"),
        checkpoints=external_checkpoints,
    output:
        trajectory=directory(f"{RUN}/trajectory"),
        final=directory(f"{RUN}/final"),
        manifest=f"{RUN}/manifest.json",
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=ids("external"),
    conda:
        "../../envs/train.yaml"
    resources:
        **asked(of_base),
    params:
        config=lambda wildcards: jobs.external(wildcards.run),
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "python -m valuedrift.train external --config {params.config:q} --output {params.folder} > {log} 2>&1"


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
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=ids("sft"),
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards: of_training(wildcards).threads
    resources:
        **asked(of_training),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="sft",
    shell:
        "{params.launch} -m valuedrift.train {params.command} --config {params.config:q} --parent {input.parent} --data {input.data}"
        " --output {params.folder} > {log} 2>&1"


use rule sft as dpo with:
    input:
        source=sources("train.dpo"),
        parent=parent_manifest,
        data=training_data,
    wildcard_constraints:
        run=ids("dpo"),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="dpo",


use rule sft as simpo with:
    input:
        source=sources("train.simpo"),
        parent=parent_manifest,
        data=training_data,
    wildcard_constraints:
        run=ids("simpo"),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="simpo",


use rule sft as kto with:
    input:
        source=sources("train.kto"),
        parent=parent_manifest,
        data=training_data,
    wildcard_constraints:
        run=ids("kto"),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="kto",


use rule sft as orpo with:
    input:
        source=sources("train.orpo"),
        parent=parent_manifest,
        data=training_data,
    wildcard_constraints:
        run=ids("orpo"),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
        command="orpo",


use rule sft as reward with:
    input:
        source=sources("train.reward"),
        parent=lambda wildcards: parents_manifest(study.rewards[wildcards.reward].id),
        data=lambda wildcards: f"{R}/data/{study.rewards[wildcards.reward].dataset}.parquet",
    output:
        trajectory=directory(f"{R}/rewards/{{reward}}/trajectory"),
        final=directory(f"{R}/rewards/{{reward}}/final"),
        manifest=f"{R}/rewards/{{reward}}/manifest.json",
        training_log=f"{R}/rewards/{{reward}}/training_log.parquet",
    log:
        f"{R}/logs/rewards/{{reward}}.log",
    wildcard_constraints:
        reward=Study.pattern(study.rewards),
    threads: lambda wildcards: of_reward(wildcards).threads
    resources:
        **asked(of_reward),
    params:
        launch=launch,
        config=lambda wildcards: jobs.reward(wildcards.reward)[0],
        tracked=lambda wildcards: jobs.reward(wildcards.reward)[1],
        folder=lambda wildcards: f"{R}/rewards/{wildcards.reward}",
        command="reward",


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
    log:
        f"{R}/logs/train/{{run}}.log",
    wildcard_constraints:
        run=ids("ppo"),
    conda:
        "../../envs/train.yaml"
    threads: lambda wildcards: of_training(wildcards).threads
    resources:
        **asked(of_training),
    params:
        launch=launch,
        config=lambda wildcards: jobs.training(wildcards.run)[0],
        tracked=lambda wildcards: jobs.training(wildcards.run)[1],
        folder=lambda wildcards: study.folder_of(wildcards.run),
    shell:
        "{params.launch} -m valuedrift.train ppo --config {params.config:q} --parent {input.parent} --reward {input.reward}"
        " --data {input.data} --output {params.folder} > {log} 2>&1"
