# Stances of a run's responses, by one judge; those of step 0 are copied from the parent's last. Judges behind a service have a rule of
# their own, which runs where there is a network.
rule stances:
    input:
        judge=lambda wildcards: inputs.judge(wildcards.judge),
        generations=f"{RUN}/{{again}}generations.parquet",
        prompts=f"{P}/prompts.parquet",
        parent=lambda wildcards: inputs.of_parent(
            wildcards.run, f"{wildcards.again}stances/{wildcards.judge}.parquet"
        ),
    output:
        f"{RUN}/{{again}}stances/{{judge}}.parquet",
    log:
        f"{R}/logs/judge/{{judge}}/{{again}}{{run}}.log",
    wildcard_constraints:
        judge=pattern(set(study.config.judges) - set(job_resources.service_judges)),
    conda:
        lambda wildcards: environments.judging(wildcards.judge)
    threads: threads_of("stances")
    resources:
        **resources_of("stances"),
    params:
        sources=lambda wildcards: sources(
            "judge.stances", *inputs.judge_steps(wildcards.judge)
        ),
        config=lambda wildcards: jobs.judge(wildcards.run, wildcards.judge).config,
        tracked=lambda wildcards: jobs.judge(wildcards.run, wildcards.judge).tracked,
        python=lambda wildcards: environments.judging_python(wildcards.judge),
        parent=lambda wildcards, input: options({"parent": input.parent}),
    shell:
        "{params.python} -m valuedrift.judge stances --config {params.config:q} --generations {input.generations:q}"
        " --prompts {input.prompts:q} {params.parent} --output {output:q} > {log:q} 2>&1"


use rule stances as service_stances with:
    wildcard_constraints:
        judge=pattern(job_resources.service_judges),
    localrule: job_resources.runs_locally("service_stances")
    resources:
        **resources_of("service_stances"),


# Some responses of all runs in all orders of the options, by a judge that is otherwise asked in one: what the order does to its answers.
rule order_check:
    input:
        judge=lambda wildcards: inputs.judge(wildcards.judge),
        generations=expand(f"{RUN}/generations.parquet", run=study.runs),
        prompts=f"{P}/prompts.parquet",
    output:
        f"{R}/judges/{{judge}}/orders.parquet",
    log:
        f"{R}/logs/judge/{{judge}}/orders.log",
    wildcard_constraints:
        judge=pattern(set(study.order_checked) - set(job_resources.service_judges)),
    conda:
        lambda wildcards: environments.judging(wildcards.judge)
    threads: threads_of("order_check")
    resources:
        **resources_of("order_check"),
    params:
        sources=sources("judge.order_check"),
        config=lambda wildcards: jobs.order_check(wildcards.judge).config,
        tracked=lambda wildcards: jobs.order_check(wildcards.judge).tracked,
        python=lambda wildcards: environments.judging_python(wildcards.judge),
    shell:
        "{params.python} -m valuedrift.judge order_check --config {params.config:q} --generations {input.generations:q}"
        " --prompts {input.prompts:q} --output {output:q} > {log:q} 2>&1"


use rule order_check as service_order_check with:
    wildcard_constraints:
        judge=pattern(set(study.order_checked) & set(job_resources.service_judges)),
    localrule: job_resources.runs_locally("service_order_check")
    resources:
        **resources_of("service_order_check"),
