# Synthetic preferences: prompts that resemble a category, each answered for and against its value by a chat model.
localrules:
    retrieved,
    synthetic_pairs,


rule candidates:
    input:
        model=inputs.synthetic_encoder(),
        sets=inputs.synthetic_sources(),
    output:
        table=f"{S}/candidates.parquet",
        counts=f"{S}/candidates.counts.json",
    log:
        f"{R}/logs/synthetic/candidates.log",
    conda:
        "../../envs/prompts.yaml"
    threads: threads_of("candidates")
    resources:
        **resources_of("candidates"),
    params:
        sources=sources("synthetic.candidates"),
        config=lambda wildcards: jobs.candidates(),
    shell:
        "python -m valuedrift.synthetic candidates --config {params.config:q} --sets {input.sets:q} --output {output.table:q}"
        " --counts {output.counts:q} > {log:q} 2>&1"


rule retrieved:
    input:
        candidates=f"{S}/candidates.parquet",
    output:
        table=f"{S}/retrieved.parquet",
        counts=f"{S}/retrieved.counts.json",
    log:
        f"{R}/logs/synthetic/retrieved.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("synthetic.retrieve"),
        config=lambda wildcards: jobs.retrieval(),
    shell:
        "python -m valuedrift.synthetic retrieve --config {params.config:q} --candidates {input.candidates:q}"
        " --output {output.table:q} --counts {output.counts:q} > {log:q} 2>&1"


rule answers:
    input:
        chat=inputs.chat("answers"),
        retrieved=f"{S}/retrieved.parquet",
    output:
        f"{S}/answers.parquet",
    log:
        f"{R}/logs/synthetic/answers.log",
    localrule: job_resources.runs_locally("answers")
    conda:
        environments.chat_step("answers")
    threads: threads_of("answers")
    resources:
        **resources_of("answers"),
    params:
        sources=sources("synthetic.answers"),
        config=lambda wildcards: jobs.chat_job(jobs.answers()).config,
        tracked=lambda wildcards: jobs.chat_job(jobs.answers()).tracked,
    shell:
        "python -m valuedrift.synthetic answers --config {params.config:q} --retrieved {input.retrieved:q} --output {output:q} > {log:q} 2>&1"


rule synthetic_pairs:
    input:
        answers=f"{S}/answers.parquet",
    output:
        pairs=f"{S}/pairs.parquet",
        counts=f"{S}/pairs.counts.json",
    log:
        f"{R}/logs/synthetic/pairs.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("synthetic.pairs"),
    shell:
        "python -m valuedrift.synthetic pairs --answers {input.answers:q} --output {output.pairs:q} --counts {output.counts:q} > {log:q} 2>&1"
