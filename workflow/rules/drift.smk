# Values and drift of each run, the drift of all runs in one table, and contrasts between runs.
localrules:
    values,
    drift,
    study_drift,
    contrast,


rule values:
    input:
        stances=expand(
            f"{RUN}/stances/{{judge}}.parquet",
            judge=study.config.judges,
            allow_missing=True,
        ),
    output:
        f"{RUN}/values.parquet",
    log:
        f"{R}/logs/drift/{{run}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("drift.values"),
        config=lambda wildcards: jobs.values(),
    shell:
        "python -m valuedrift.drift values --config {params.config:q} --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"


rule drift:
    input:
        manifest=f"{RUN}/manifest.json",
        values=f"{RUN}/values.parquet",
        stances=expand(
            f"{RUN}/stances/{{judge}}.parquet",
            judge=study.config.judges,
            allow_missing=True,
        ),
    output:
        f"{RUN}/drift.parquet",
    log:
        f"{R}/logs/drift/{{run}}-drift.log",
    wildcard_constraints:
        run=pattern(study.drifting),
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("drift.magnitude_and_time"),
        config=lambda wildcards: jobs.drift(),
    shell:
        "python -m valuedrift.drift magnitude_and_time --config {params.config:q} --manifests {input.manifest:q}"
        " --values {input.values:q} --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"


rule study_drift:
    input:
        drift=expand(f"{RUN}/drift.parquet", run=study.drifting),
    output:
        f"{R}/drift.parquet",
    log:
        f"{R}/logs/drift/study.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("drift.study"),
        config=lambda wildcards: jobs.drift(),
    shell:
        "python -m valuedrift.drift study --config {params.config:q} --drift {input.drift:q} --output {output:q} > {log:q} 2>&1"


rule contrast:
    input:
        stances=lambda wildcards: inputs.contrast_stances(wildcards.contrast),
    output:
        f"{R}/contrasts/{{contrast}}.parquet",
    log:
        f"{R}/logs/drift/contrast-{{contrast}}.log",
    wildcard_constraints:
        contrast=pattern(study.config.contrasts),
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("drift.contrast"),
        config=lambda wildcards: jobs.contrast(wildcards.contrast),
    shell:
        "python -m valuedrift.drift contrast --config {params.config:q} --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"
