# Stances of a run's responses, by one judge; those of step 0 are the parent's.
def judge_inputs(wildcards):
    """What a judge is made of: its local weights, or the source files of its function."""
    judge = study.config.judges[wildcards.judge]
    if judge.path:
        return study.local_folders(judge.path)
    return [os.path.relpath(path) for path in function_sources(judge.function)]


rule stances:
    input:
        source=sources("judge.stances"),
        judge=judge_inputs,
        generations=f"{RUN}/generations.parquet",
        prompts=f"{P}/prompts.parquet",
        parent=lambda wildcards: of_parent(wildcards.run, f"stances/{wildcards.judge}.parquet"),
    output:
        f"{RUN}/stances/{{judge}}.parquet",
    params:
        config=lambda wildcards: jobs.judge(wildcards.run, wildcards.judge),
        parent=lambda wildcards, input: f"--parent {input.parent}" if input.parent else "",
    log:
        f"{R}/logs/judge/{{judge}}/{{run}}.log",
    conda:
        "../../envs/generate.yaml"
    shell:
        "python -m valuedrift.judge stances --config {params.config:q} --generations {input.generations}"
        " --prompts {input.prompts} {params.parent} --output {output} > {log} 2>&1"
