# Benchmarks of final models, one job each, for the runs that a table of the kind downstream shows.
localrules:
    downstream_data,


rule downstream_data:
    input:
        tasks=lambda wildcards: inputs.task(wildcards.task),
    output:
        directory(f"{R}/downstream/{{task}}"),
    log:
        f"{R}/logs/downstream/{{task}}.log",
    conda:
        "../../envs/downstream.yaml"
    params:
        sources=sources("downstream.data"),
        config=lambda wildcards: jobs.downstream_data(wildcards.task),
    shell:
        "HF_HUB_OFFLINE=0 python -m valuedrift.downstream data --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule downstream:
    input:
        manifest=f"{RUN}/manifest.json",
        data=f"{R}/downstream/{{task}}",
        tasks=lambda wildcards: inputs.task(wildcards.task),
    output:
        scores=f"{RUN}/downstream/{{task}}.parquet",
        questions=f"{RUN}/downstream/questions/{{task}}.parquet",
    log:
        f"{R}/logs/downstream/{{run}}/{{task}}.log",
    wildcard_constraints:
        run=pattern(study.benchmarked),
    conda:
        "../../envs/downstream.yaml"
    threads: threads_of("downstream")
    resources:
        **resources_of("downstream"),
    params:
        sources=sources("downstream.evaluate"),
        config=lambda wildcards: jobs.downstream(wildcards.run, wildcards.task),
    shell:
        "python -m valuedrift.downstream evaluate --config {params.config:q} --manifest {input.manifest:q} --data {input.data:q}"
        " --output {output.scores:q} --questions {output.questions:q} > {log:q} 2>&1"
