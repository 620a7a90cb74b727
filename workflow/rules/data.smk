# SFT sets and preference sets: one table each, and the counts of what was read and dropped.
localrules:
    mixture,


rule sft_set:
    input:
        raw=lambda wildcards: inputs.dataset(wildcards.dataset),
    output:
        table=f"{R}/data/{{dataset}}.parquet",
        counts=f"{R}/data/{{dataset}}.counts.json",
    log:
        f"{R}/logs/data/{{dataset}}.log",
    wildcard_constraints:
        dataset=pattern(study.sft_sets),
    conda:
        "../../envs/train.yaml"
    resources:
        **resources_of("sft_set"),
    params:
        sources=sources("data.sft"),
        config=lambda wildcards: jobs.dataset(wildcards.dataset),
        command="sft",
    shell:
        "python -m valuedrift.data {params.command} --config {params.config:q} --output {output.table:q} --counts {output.counts:q} > {log:q} 2>&1"


use rule sft_set as preference_set with:
    input:
        raw=lambda wildcards: inputs.dataset(wildcards.dataset),
    wildcard_constraints:
        dataset=pattern(study.preference_sets),
    params:
        sources=sources("data.preferences"),
        config=lambda wildcards: jobs.dataset(wildcards.dataset),
        command="preferences",


rule mixture:
    input:
        gap=lambda wildcards: inputs.mixture_gap(wildcards.dataset),
        rest=lambda wildcards: inputs.mixture_rest(wildcards.dataset),
    output:
        table=f"{R}/data/{{dataset}}.parquet",
        counts=f"{R}/data/{{dataset}}.counts.json",
    log:
        f"{R}/logs/data/{{dataset}}.log",
    wildcard_constraints:
        dataset=pattern(study.mixtures),
    conda:
        "../../envs/train.yaml"
    params:
        sources=sources("data.mixture"),
        config=lambda wildcards: jobs.mixture(wildcards.dataset),
    shell:
        "python -m valuedrift.data mixture --config {params.config:q} --gap {input.gap:q} --rest {input.rest:q}"
        " --output {output.table:q} --counts {output.counts:q} > {log:q} 2>&1"
