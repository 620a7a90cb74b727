# Tables, figures, scorecard and report. Every table and figure is a target of its own: `snakemake table_9`.
localrules:
    drift_table,
    categories_table,
    topics_table,
    value_texts_table,
    samples_table,
    pairs_table,
    downstream_table,
    quality_table,
    sensitivity_table,
    contrast_table,
    figure,
    ablation,
    forest,
    verdicts,
    scorecard,
    judges_page,
    report,


rule drift_table:
    input:
        drift=lambda wildcards: inputs.table_drift(wildcards.table),
    output:
        csv=f"{R}/tables/{{table}}.csv",
        markdown=f"{R}/tables/{{table}}.md",
        latex=f"{R}/tables/{{table}}.tex",
    log:
        f"{R}/logs/report/table-{{table}}.log",
    wildcard_constraints:
        table=pattern(study.tables("drift")),
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("report.drift_table"),
        config=lambda wildcards: jobs.table(wildcards.table),
        given=lambda wildcards, input: options(input),
        command=lambda wildcards: jobs.table_command(wildcards.table),
    shell:
        "python -m valuedrift.report {params.command} --config {params.config:q} {params.given} --csv {output.csv:q}"
        " --markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"


use rule drift_table as categories_table with:
    input:
        curation=f"{P}/curation.parquet",
    wildcard_constraints:
        table=pattern(study.tables("categories")),
    params:
        sources=sources("report.categories_table"),


use rule drift_table as topics_table with:
    input:
        [],
    wildcard_constraints:
        table=pattern(study.tables("topics")),
    params:
        sources=sources("report.topics_table"),


use rule drift_table as value_texts_table with:
    input:
        [],
    wildcard_constraints:
        table=pattern(study.tables("value_texts")),
    params:
        sources=sources("report.value_texts_table"),


use rule drift_table as samples_table with:
    input:
        prompts=f"{P}/prompts.parquet",
        generations=lambda wildcards: inputs.table_runs(
            wildcards.table, "generations.parquet"
        ),
    wildcard_constraints:
        table=pattern(study.tables("samples")),
    params:
        sources=sources("report.samples_table"),


use rule drift_table as pairs_table with:
    input:
        pairs=lambda wildcards: inputs.table_pairs(wildcards.table),
    wildcard_constraints:
        table=pattern(study.tables("pairs")),
    params:
        sources=sources("report.pairs_table"),


use rule drift_table as downstream_table with:
    input:
        downstream=lambda wildcards: inputs.table_scores(wildcards.table),
        questions=lambda wildcards: inputs.table_questions(wildcards.table),
    wildcard_constraints:
        table=pattern(study.tables("downstream")),
    params:
        sources=sources("report.downstream_table"),


use rule drift_table as quality_table with:
    input:
        stances=lambda wildcards: inputs.table_stances(wildcards.table),
    wildcard_constraints:
        table=pattern(study.tables("quality")),
    params:
        sources=sources("report.quality_table"),


use rule drift_table as sensitivity_table with:
    input:
        stances=lambda wildcards: inputs.table_stances(wildcards.table),
        orders=lambda wildcards: inputs.table_orders(wildcards.table),
    wildcard_constraints:
        table=pattern(study.tables("sensitivity")),
    params:
        sources=sources("report.sensitivity_table"),


use rule drift_table as contrast_table with:
    input:
        contrast=lambda wildcards: inputs.contrast_of(wildcards.table),
    wildcard_constraints:
        table=pattern(study.tables("contrast")),
    params:
        sources=sources("report.contrast_table"),


rule figure:
    input:
        values=lambda wildcards: inputs.figure_values(wildcards.figure),
        drift=lambda wildcards: inputs.figure_drift(wildcards.figure),
    output:
        pdf=f"{R}/figures/{{figure}}.pdf",
        png=f"{R}/figures/{{figure}}.png",
    log:
        f"{R}/logs/report/figure-{{figure}}.log",
    wildcard_constraints:
        figure=pattern(study.figures("trajectory")),
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("report.figure"),
        config=lambda wildcards: jobs.figure(wildcards.figure),
        given=lambda wildcards, input: options(input),
        command=lambda wildcards: jobs.figure_command(wildcards.figure),
    shell:
        "python -m valuedrift.report {params.command} --config {params.config:q} {params.given} --pdf {output.pdf:q}"
        " --png {output.png:q} > {log:q} 2>&1"


use rule figure as ablation with:
    input:
        values=lambda wildcards: inputs.figure_values(wildcards.figure),
        drift=lambda wildcards: inputs.figure_drift(wildcards.figure),
    wildcard_constraints:
        figure=pattern(study.figures("ablation")),
    params:
        sources=sources("report.ablation"),


use rule figure as forest with:
    input:
        contrast=lambda wildcards: inputs.contrast_of(wildcards.figure),
    wildcard_constraints:
        figure=pattern(study.figures("forest")),
    params:
        sources=sources("report.forest"),


# The picture that the report opens with.
rule verdicts:
    input:
        drift=f"{R}/drift.parquet",
    output:
        pdf=f"{R}/verdicts.pdf",
        png=f"{R}/verdicts.png",
    log:
        f"{R}/logs/report/verdicts.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("report.verdicts"),
        config=lambda wildcards: jobs.verdicts(),
    shell:
        "python -m valuedrift.report verdicts --config {params.config:q} --drift {input.drift:q} --pdf {output.pdf:q}"
        " --png {output.png:q} > {log:q} 2>&1"


rule scorecard:
    input:
        reference=inputs.reference(),
        drift=f"{R}/drift.parquet",
        downstream=inputs.benchmark_scores(study.benchmarked),
    output:
        csv=f"{R}/scorecard.csv",
        html=f"{R}/scorecard.html",
    log:
        f"{R}/logs/report/scorecard.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("report.scorecard"),
        config=lambda wildcards: jobs.scorecard(),
    shell:
        "python -m valuedrift.report scorecard --config {params.config:q} --drift {input.drift:q} --downstream {input.downstream:q}"
        " --csv {output.csv:q} --html {output.html:q} > {log:q} 2>&1"


# What the other judges answer for the same responses; a target of studies with more than one judge.
rule judges_page:
    input:
        stances=expand(
            f"{RUN}/stances/{{judge}}.parquet",
            run=study.runs,
            judge=study.config.judges,
        ),
    output:
        csv=f"{R}/judges.csv",
        html=f"{R}/judges.html",
    log:
        f"{R}/logs/report/judges.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("report.judges_page"),
        config=lambda wildcards: jobs.judge_comparison(),
    shell:
        "python -m valuedrift.report judges_page --config {params.config:q} --stances {input.stances:q} --csv {output.csv:q}"
        " --html {output.html:q} > {log:q} 2>&1"


rule report:
    input:
        drift=f"{R}/drift.parquet",
        verdicts=study.pictures,
        noise=study.noise,
        prompts=f"{P}/prompts.parquet",
        curation=f"{P}/curation.parquet",
        data=inputs.counts(),
        values=expand(f"{RUN}/values.parquet", run=study.runs),
        generations=expand(f"{RUN}/generations.parquet", run=study.runs),
        manifests=expand(f"{RUN}/manifest.json", run=study.runs),
        logs=inputs.training_logs(),
        orders=inputs.order_checks(),
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
        sources=sources("report.page"),
        config=lambda wildcards: jobs.report(),
    shell:
        "python -m valuedrift.report page --config {params.config:q} --drift {input.drift:q} --prompts {input.prompts:q}"
        " --verdicts {input.verdicts:q} --noise {input.noise:q} --logs {input.logs:q} --orders {input.orders:q}"
        " --curation {input.curation:q} --data {input.data:q} --values {input.values:q} --generations {input.generations:q} --manifests {input.manifests:q}"
        " --tables {input.tables:q} --figures {input.figures:q} --appendices {input.appendices:q} --output {output:q} > {log:q} 2>&1"


# Targets by name: each table, each figure, and all of them with the scorecard.
taken = {rule.name for rule in workflow.rules}
for name in (*study.config.tables, *study.config.figures):
    if name in taken:
        raise WorkflowError(
            f"config: the table or figure `{name}` has the name of a rule; choose another"
        )

for name in study.config.tables:

    rule:
        name:
            name
        input:
            multiext(f"{R}/tables/{name}", ".csv", ".md", ".tex"),


for name in study.config.figures:

    rule:
        name:
            name
        input:
            multiext(f"{R}/figures/{name}", ".pdf", ".png"),


rule paper:
    input:
        expand(
            f"{R}/tables/{{table}}.{{format}}",
            table=study.config.tables,
            format=("csv", "md", "tex"),
        ),
        expand(
            f"{R}/figures/{{figure}}.{{format}}",
            figure=study.config.figures,
            format=("pdf", "png"),
        ),
        study.scorecard_pages,
