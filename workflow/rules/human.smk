# The human check: judged responses for people to label, and the judge against their labels. Targets: `snakemake human_sample`, `snakemake human_check`.
localrules:
    human_sample,
    human_check,


rule human_sample:
    input:
        stances=inputs.human_sample(f"stances/{study.judge}.parquet"),
        generations=inputs.human_sample("generations.parquet"),
        prompts=f"{P}/prompts.parquet",
    output:
        table=f"{R}/human/sample.parquet",
        sheet=f"{R}/human/sheet.csv",
        page=f"{R}/human/label.html",
    log:
        f"{R}/logs/human/sample.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("human.sample"),
        config=lambda wildcards: jobs.human_sample(),
    shell:
        "python -m valuedrift.human sample --config {params.config:q} --stances {input.stances:q} --generations {input.generations:q}"
        " --prompts {input.prompts:q} --table {output.table:q} --sheet {output.sheet:q} --page {output.page:q} > {log:q} 2>&1"


rule human_check:
    input:
        sample=f"{R}/human/sample.parquet",
        labels=lambda wildcards: inputs.human_labels(),
    output:
        csv=f"{R}/human/agreement.csv",
        page=f"{R}/human/agreement.html",
    log:
        f"{R}/logs/human/check.log",
    conda:
        "../../envs/report.yaml"
    params:
        sources=sources("human.check"),
        config=lambda wildcards: jobs.human_check(),
    shell:
        "python -m valuedrift.human check --config {params.config:q} --sample {input.sample:q} --labels {input.labels:q}"
        " --csv {output.csv:q} --page {output.page:q} > {log:q} 2>&1"
