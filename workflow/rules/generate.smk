# Responses of a run's checkpoints; those of step 0 are the parent's.
rule generations:
    input:
        source=sources("generate.responses"),
        manifest=f"{RUN}/manifest.json",
        trajectory=trajectory,
        prompts=f"{P}/prompts.parquet",
        parent=lambda wildcards: of_parent(wildcards.run, "generations.parquet"),
    output:
        f"{RUN}/generations.parquet",
    log:
        f"{R}/logs/generate/{{run}}.log",
    conda:
        env_of(study.config.generation.engine, "../../envs/generate.yaml")
    threads: lambda wildcards: of_sampling(wildcards).threads
    resources:
        **asked(of_sampling),
    params:
        config=lambda wildcards: jobs.generation(wildcards.run)[0],
        tracked=lambda wildcards: jobs.generation(wildcards.run)[1],
        python=python_of(study.config.generation.engine),
        parent=lambda wildcards, input: (
            f"--parent {input.parent}" if input.parent else ""
        ),
    shell:
        "{params.python} -m valuedrift.generate responses --config {params.config:q} --manifest {input.manifest}"
        " --prompts {input.prompts} {params.parent} --output {output} > {log} 2>&1"
