# The built-in world: datasets, a base model and a judge, which a study reads as it reads any others.
W = study.config.miniature.folder


localrules:
    miniature_prompts,
    miniature_planted,
    miniature_dataset,
    miniature_tokenizer,
    miniature_recovery,
    miniature_found,
    miniature_clustering,
    miniature_benchmark,


rule miniature_prompts:
    output:
        prompts=f"{W}/prompts.csv",
        labels=f"{W}/labels.parquet",
    log:
        f"{W}/logs/prompts.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.prompts"),
        config=lambda wildcards: jobs.miniature("seed", "questions"),
    shell:
        "python -m valuedrift.miniature prompts --config {params.config:q} --output {output.prompts:q} --labels {output.labels:q} > {log:q} 2>&1"


rule miniature_planted:
    output:
        f"{W}/planted.parquet",
    log:
        f"{W}/logs/planted.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.planted"),
        config=lambda wildcards: jobs.miniature("seed", "sharpness"),
    shell:
        "python -m valuedrift.miniature planted --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule miniature_dataset:
    output:
        f"{W}/{{name}}.jsonl",
    log:
        f"{W}/logs/{{name}}.log",
    wildcard_constraints:
        name="wildchat|alpaca|ultrafeedback|synthetic",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.dataset"),
        config=lambda wildcards: jobs.miniature(
            "seed", "sharpness", "sft_rows", "preference_rows"
        ),
    shell:
        "python -m valuedrift.miniature dataset --config {params.config:q} --name {wildcards.name:q} --output {output:q} > {log:q} 2>&1"


rule miniature_tokenizer:
    output:
        directory(f"{W}/tokenizer"),
    log:
        f"{W}/logs/tokenizer.log",
    conda:
        "../../envs/train.yaml"
    params:
        sources=sources("miniature.tokenizer"),
        config=lambda wildcards: jobs.miniature(
            "seed", "sharpness", "vocabulary", "judge_prompt"
        ),
    shell:
        "python -m valuedrift.miniature tokenizer --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule miniature_base:
    input:
        tokenizer=f"{W}/tokenizer",
    output:
        base=directory(f"{W}/base"),
        pretraining=[
            directory(f"{W}/pretraining/{percent}") for percent in (0, 25, 50, 100)
        ],
    log:
        f"{W}/logs/base.log",
    priority: 2  # everything else waits for it
    conda:
        "../../envs/train.yaml"
    params:
        sources=sources("miniature.base"),
        config=lambda wildcards: jobs.miniature("seed", "sharpness", "corpus", "base"),
        pretraining=lambda wildcards, output: Path(output.pretraining[0]).parent,
    shell:
        "python -m valuedrift.miniature base --config {params.config:q} --tokenizer {input.tokenizer:q}"
        " --output {output.base:q} --pretraining {params.pretraining:q} > {log:q} 2>&1"


rule miniature_judge:
    input:
        tokenizer=f"{W}/tokenizer",
    output:
        directory(f"{W}/judge"),
    log:
        f"{W}/logs/judge.log",
    priority: 1
    conda:
        "../../envs/train.yaml"
    params:
        sources=sources("miniature.judge"),
        config=lambda wildcards: jobs.miniature(
            "seed", "heldout", "judge", "judge_prompt", "judge_short_steps"
        ),
    shell:
        "python -m valuedrift.miniature judge --config {params.config:q} --tokenizer {input.tokenizer:q} --output {output:q} > {log:q} 2>&1"


rule miniature_recovery:
    input:
        planted=f"{W}/planted.parquet",
        values=expand(f"{RUN}/values.parquet", run=study.runs),
        stances=expand(
            f"{RUN}/stances/{{judge}}.parquet",
            run=study.runs,
            judge=study.config.judges,
        ),
    output:
        f"{R}/recovery.parquet",
    log:
        f"{R}/logs/report/recovery.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.recovery"),
        config=lambda wildcards: jobs.recovery(),
    shell:
        "python -m valuedrift.miniature recovery --config {params.config:q} --planted {input.planted:q} --values {input.values:q}"
        " --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"


rule miniature_found:
    input:
        planted=f"{W}/planted.parquet",
        drift=f"{R}/drift.parquet",
    output:
        f"{R}/found.parquet",
    log:
        f"{R}/logs/report/found.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.found"),
        config=lambda wildcards: jobs.found(),
    shell:
        "python -m valuedrift.miniature found --config {params.config:q} --planted {input.planted:q} --drift {input.drift:q}"
        " --output {output:q} > {log:q} 2>&1"


rule miniature_clustering:
    input:
        labels=f"{W}/labels.parquet",
        clusters=f"{P}/clusters.parquet",
        categories=f"{P}/categories.parquet",
        value_laden=f"{P}/value_laden.parquet",
    output:
        f"{R}/clustering.parquet",
    log:
        f"{R}/logs/report/clustering.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("miniature.clustering"),
    shell:
        "python -m valuedrift.miniature clustering --labels {input.labels:q} --clusters {input.clusters:q}"
        " --categories {input.categories:q} --value-laden {input.value_laden:q} --output {output:q} > {log:q} 2>&1"


rule miniature_benchmark:
    output:
        f"{W}/benchmark.jsonl",
    log:
        f"{W}/logs/benchmark.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("miniature.benchmark"),
        config=lambda wildcards: jobs.miniature("seed"),
    shell:
        "python -m valuedrift.miniature benchmark --config {params.config:q} --output {output:q} > {log:q} 2>&1"
