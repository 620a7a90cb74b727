# Responses of a run's checkpoints; those of step 0 are copied from the parent's last. With {again}, a second sampling of its ends.
rule generations:
    input:
        manifest=f"{RUN}/manifest.json",
        trajectory=lambda wildcards: inputs.trajectory(wildcards.run),
        prompts=f"{P}/prompts.parquet",
        parent=lambda wildcards: inputs.of_parent(
            wildcards.run, f"{wildcards.again}generations.parquet"
        ),
    output:
        f"{RUN}/{{again}}generations.parquet",
    log:
        f"{R}/logs/generate/{{again}}{{run}}.log",
    conda:
        environments.sampling()
    threads: threads_of("generations")
    resources:
        **resources_of("generations"),
    params:
        sources=sources("generate.responses"),
        config=lambda wildcards: jobs.generation(wildcards.run, wildcards.again).config,
        tracked=lambda wildcards: jobs.generation(
            wildcards.run, wildcards.again
        ).tracked,
        python=environments.sampling_python(),
        parent=lambda wildcards, input: options({"parent": input.parent}),
    shell:
        "{params.python} -m valuedrift.generate responses --config {params.config:q} --manifest {input.manifest:q}"
        " --prompts {input.prompts:q} {params.parent} --output {output:q} > {log:q} 2>&1"
