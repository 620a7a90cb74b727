# Stances of a run's responses, by one judge; those of step 0 are the parent's.
rule stances:
    input:
        source=sources("judge.stances"),
        judge=judge_inputs,
        generations=f"{RUN}/generations.parquet",
        prompts=f"{P}/prompts.parquet",
        parent=lambda wildcards: of_parent(
            wildcards.run, f"stances/{wildcards.judge}.parquet"
        ),
    output:
        f"{RUN}/stances/{{judge}}.parquet",
    log:
        f"{R}/logs/judge/{{judge}}/{{run}}.log",
    conda:
        judging_env
    resources:
        api=lambda wildcards: asks_service(study.config.judges[wildcards.judge].chat),
    params:
        config=lambda wildcards: jobs.judge(wildcards.run, wildcards.judge)[0],
        tracked=lambda wildcards: jobs.judge(wildcards.run, wildcards.judge)[1],
        python=lambda wildcards: python_of(study.config.judges[wildcards.judge].backend),
        parent=lambda wildcards, input: (
            f"--parent {input.parent}" if input.parent else ""
        ),
    shell:
        "{params.python} -m valuedrift.judge stances --config {params.config:q} --generations {input.generations}"
        " --prompts {input.prompts} {params.parent} --output {output} > {log} 2>&1"
