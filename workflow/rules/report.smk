# Tables, figures and the report.
rule table:
    input:
        source=sources("report.table"),
        drift=f"{R}/drift.parquet",
    output:
        csv=f"{R}/tables/{{table}}.csv",
        markdown=f"{R}/tables/{{table}}.md",
        latex=f"{R}/tables/{{table}}.tex",
    log:
        f"{R}/logs/report/table-{{table}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        config=lambda wildcards: jobs.table(wildcards.table),
    shell:
        "python -m valuedrift.report table --config {params.config:q} --drift {input.drift} --csv {output.csv}"
        " --markdown {output.markdown} --latex {output.latex} > {log} 2>&1"


rule figure:
    input:
        source=sources("report.figure"),
        values=lambda wildcards: [
            f"{study.folder_of(run)}/values.parquet"
            for run in study.shown(wildcards.figure)
        ],
    output:
        pdf=f"{R}/figures/{{figure}}.pdf",
        png=f"{R}/figures/{{figure}}.png",
    log:
        f"{R}/logs/report/figure-{{figure}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        config=lambda wildcards: jobs.figure(wildcards.figure),
    shell:
        "python -m valuedrift.report figure --config {params.config:q} --values {input.values} --pdf {output.pdf}"
        " --png {output.png} > {log} 2>&1"


rule report:
    input:
        source=sources("report.html"),
        drift=f"{R}/drift.parquet",
        prompts=f"{P}/prompts.parquet",
        curation=f"{P}/curation.parquet",
        data=[
            f"{P}/raw.counts.json",
            *(f"{R}/data/{name}.counts.json" for name in study.datasets),
        ],
        values=expand(f"{RUN}/values.parquet", run=study.runs),
        generations=expand(f"{RUN}/generations.parquet", run=study.runs),
        manifests=expand(f"{RUN}/manifest.json", run=study.runs),
        tables=expand(f"{R}/tables/{{table}}.csv", table=study.config.tables),
        figures=expand(f"{R}/figures/{{figure}}.png", figure=study.config.figures),
        appendices=study.appendices,
    output:
        f"{R}/report.html",
    log:
        f"{R}/logs/report/report.log",
    conda:
        "../../envs/report.yaml"
    params:
        config=lambda wildcards: jobs.report(),
    shell:
        "python -m valuedrift.report html --config {params.config:q} --drift {input.drift} --prompts {input.prompts}"
        " --curation {input.curation} --data {input.data} --values {input.values} --generations {input.generations} --manifests {input.manifests}"
        " --tables {input.tables} --figures {input.figures} --appendices {input.appendices:q} --output {output} > {log} 2>&1"
