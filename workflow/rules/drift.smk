# Values and drift of each run, the drift of all runs in one table, and contrasts between runs.
localrules:
    values,
    drift,
    pooled_values,
    pooled_drift,
    study_drift,
    contrast,
    noise,


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
        command="values",
    shell:
        "python -m valuedrift.drift {params.command} --config {params.config:q} --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"


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
        command="magnitude_and_time",
    shell:
        "python -m valuedrift.drift {params.command} --config {params.config:q} --manifests {input.manifest:q}"
        " --values {input.values:q} --stances {input.stances:q} --output {output:q} > {log:q} 2>&1"


# What the seeds of a run say together.
use rule values as pooled_values with:
    input:
        stances=lambda wildcards: inputs.stances_of_seeds(wildcards.run),
    wildcard_constraints:
        run=pattern(study.pooled),
    params:
        sources=sources("drift.pooled_values"),
        config=lambda wildcards: jobs.pooled_values(wildcards.run),
        command="pooled_values",


use rule drift as pooled_drift with:
    input:
        manifest=lambda wildcards: inputs.of_seeds("manifest.json", wildcards.run),
        values=f"{RUN}/values.parquet",
        stances=lambda wildcards: inputs.stances_of_seeds(wildcards.run),
    wildcard_constraints:
        run=pattern(study.pooled),
    params:
        sources=sources("drift.pooled_drift"),
        config=lambda wildcards: jobs.pooled_drift(wildcards.run),
        command="pooled_drift",


rule study_drift:
    input:
        drift=expand(f"{RUN}/drift.parquet", run=study.drifts),
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


# Differences between two samplings of the same checkpoints; a target of studies that sample twice.
rule noise:
    input:
        drift=f"{R}/drift.parquet",
        stances=expand(f"{RUN}/stances/{study.judge}.parquet", run=study.runs),
        replicates=expand(
            f"{RUN}/{REPLICATE}stances/{study.judge}.parquet", run=study.runs
        ),
    output:
        f"{R}/noise.parquet",
    log:
        f"{R}/logs/drift/noise.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("drift.noise"),
        config=lambda wildcards: jobs.noise(),
    shell:
        "python -m valuedrift.drift noise --config {params.config:q} --drift {input.drift:q} --stances {input.stances:q}"
        " --replicates {input.replicates:q} --output {output:q} > {log:q} 2>&1"
