# Downloads, pinned to a commit and shared by all studies. They run where Snakemake runs; no other job needs a network. Their source
# files are not inputs: a commit always gives the same files, and an edit would repeat every training that reads them.
localrules:
    downloads,
    hub_model,
    hub_dataset,


# All that needs a network: run `snakemake downloads` on a machine with one, and the study on a machine without.
rule downloads:
    input:
        list(study.hub_models),
        list(study.hub_datasets),
        expand(
            f"{R}/downstream/{{task}}",
            task=study.config.downstream.tasks if study.benchmarked else [],
        ),


rule hub_model:
    output:
        directory("{folder}"),
    log:
        f"{R}/logs/{{folder}}.log",
    wildcard_constraints:
        folder=pattern(study.hub_models),
    conda:
        "../../envs/train.yaml"
    params:
        config=lambda wildcards: jobs.download(wildcards.folder),
    shell:
        "HF_HUB_OFFLINE=0 python -m valuedrift.hub model --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule hub_dataset:
    output:
        directory("{folder}"),
    log:
        f"{R}/logs/{{folder}}.log",
    wildcard_constraints:
        folder=pattern(study.hub_datasets),
    conda:
        "../../envs/train.yaml"
    params:
        config=lambda wildcards: jobs.download(wildcards.folder),
    shell:
        "HF_HUB_OFFLINE=0 python -m valuedrift.hub dataset --config {params.config:q} --output {output:q} > {log:q} 2>&1"
