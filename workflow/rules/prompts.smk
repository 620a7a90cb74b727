# Curation of the evaluation prompts: each step is a rule, so that an edited step repeats only what follows it.
localrules:
    raw_prompts,
    category_embeddings,
    ngrams,
    cluster_categories,
    prompts,
    curation_counts,
    suggestion,
    clusters_page,


rule raw_prompts:
    input:
        raw=inputs.raw_prompts(),
    output:
        table=f"{P}/raw.parquet",
        counts=f"{P}/raw.counts.json",
    log:
        f"{R}/logs/prompts/raw.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.raw"),
        config=lambda wildcards: jobs.raw_prompts(),
    shell:
        "python -m valuedrift.prompts raw --config {params.config:q} --output {output.table:q} --counts {output.counts:q} > {log:q} 2>&1"


rule questions:
    input:
        chat=inputs.chat("questions"),
        raw=f"{P}/raw.parquet",
    output:
        f"{P}/questions.parquet",
    log:
        f"{R}/logs/prompts/questions.log",
    localrule: job_resources.runs_locally("questions")
    conda:
        environments.chat_step("questions")
    threads: threads_of("questions")
    resources:
        **resources_of("questions"),
    params:
        sources=sources("prompts.questions"),
        config=lambda wildcards: jobs.chat_job(jobs.questions()).config,
        tracked=lambda wildcards: jobs.chat_job(jobs.questions()).tracked,
    shell:
        "python -m valuedrift.prompts questions --config {params.config:q} --raw {input.raw:q} --output {output:q} > {log:q} 2>&1"


rule embeddings:
    input:
        model=inputs.prompts_encoder(),
        questions=f"{P}/questions.parquet",
    output:
        f"{P}/embeddings.parquet",
    log:
        f"{R}/logs/prompts/embeddings.log",
    conda:
        "../../envs/prompts.yaml"
    threads: threads_of("embeddings")
    resources:
        **resources_of("embeddings"),
    params:
        sources=sources("prompts.embeddings"),
        config=lambda wildcards: jobs.embedding(),
    shell:
        "python -m valuedrift.prompts embeddings --config {params.config:q} --questions {input.questions:q} --output {output:q} > {log:q} 2>&1"


rule category_embeddings:
    input:
        model=inputs.prompts_encoder(),
    output:
        f"{P}/category_embeddings.parquet",
    log:
        f"{R}/logs/prompts/category_embeddings.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.category_embeddings"),
        config=lambda wildcards: jobs.category_embeddings(),
    shell:
        "python -m valuedrift.prompts category_embeddings --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule reduction:
    input:
        embeddings=f"{P}/embeddings.parquet",
    output:
        f"{P}/reduced.parquet",
    log:
        f"{R}/logs/prompts/reduction.log",
    conda:
        "../../envs/prompts.yaml"
    resources:
        **resources_of("reduction"),
    params:
        sources=sources("prompts.reduction"),
        config=lambda wildcards: jobs.reduction(),
    shell:
        "python -m valuedrift.prompts reduction --config {params.config:q} --embeddings {input.embeddings:q} --output {output:q} > {log:q} 2>&1"


rule clusters:
    input:
        reduced=f"{P}/reduced.parquet",
    output:
        f"{P}/clusters.parquet",
    log:
        f"{R}/logs/prompts/clusters.log",
    conda:
        "../../envs/prompts.yaml"
    resources:
        **resources_of("clusters"),
    params:
        sources=sources("prompts.clusters"),
        config=lambda wildcards: jobs.clusters(),
    shell:
        "python -m valuedrift.prompts clusters --config {params.config:q} --reduced {input.reduced:q} --output {output:q} > {log:q} 2>&1"


rule ngrams:
    input:
        questions=f"{P}/questions.parquet",
        clusters=f"{P}/clusters.parquet",
    output:
        f"{P}/ngrams.parquet",
    log:
        f"{R}/logs/prompts/ngrams.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.ngrams"),
        config=lambda wildcards: jobs.ngrams(),
    shell:
        "python -m valuedrift.prompts ngrams --config {params.config:q} --questions {input.questions:q}"
        " --clusters {input.clusters:q} --output {output:q} > {log:q} 2>&1"


rule cluster_names:
    input:
        chat=inputs.chat("cluster_names"),
        ngrams=f"{P}/ngrams.parquet",
    output:
        f"{P}/names.parquet",
    log:
        f"{R}/logs/prompts/names.log",
    localrule: job_resources.runs_locally("cluster_names")
    conda:
        environments.chat_step("cluster_names")
    threads: threads_of("cluster_names")
    resources:
        **resources_of("cluster_names"),
    params:
        sources=sources("prompts.names"),
        config=lambda wildcards: jobs.chat_job(jobs.cluster_names()).config,
        tracked=lambda wildcards: jobs.chat_job(jobs.cluster_names()).tracked,
    shell:
        "python -m valuedrift.prompts names --config {params.config:q} --ngrams {input.ngrams:q} --output {output:q} > {log:q} 2>&1"


rule cluster_categories:
    input:
        names=f"{P}/names.parquet",
        clusters=f"{P}/clusters.parquet",
        embeddings=f"{P}/embeddings.parquet",
        category_embeddings=f"{P}/category_embeddings.parquet",
    output:
        f"{P}/categories.parquet",
    log:
        f"{R}/logs/prompts/categories.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.categories"),
        config=lambda wildcards: jobs.categories(),
    shell:
        "python -m valuedrift.prompts categories --config {params.config:q} --names {input.names:q} --clusters {input.clusters:q}"
        " --embeddings {input.embeddings:q} --category-embeddings {input.category_embeddings:q} --output {output:q} > {log:q} 2>&1"


rule value_laden:
    input:
        chat=inputs.chat("value_laden"),
        questions=f"{P}/questions.parquet",
        clusters=f"{P}/clusters.parquet",
        categories=f"{P}/categories.parquet",
    output:
        f"{P}/value_laden.parquet",
    log:
        f"{R}/logs/prompts/value_laden.log",
    localrule: job_resources.runs_locally("value_laden")
    conda:
        environments.chat_step("value_laden")
    threads: threads_of("value_laden")
    resources:
        **resources_of("value_laden"),
    params:
        sources=sources("prompts.value_laden"),
        config=lambda wildcards: jobs.chat_job(jobs.value_laden()).config,
        tracked=lambda wildcards: jobs.chat_job(jobs.value_laden()).tracked,
    shell:
        "python -m valuedrift.prompts value_laden --config {params.config:q} --questions {input.questions:q}"
        " --clusters {input.clusters:q} --categories {input.categories:q} --output {output:q} > {log:q} 2>&1"


rule prompts:
    input:
        questions=f"{P}/questions.parquet",
        value_laden=f"{P}/value_laden.parquet",
    output:
        f"{P}/prompts.parquet",
    log:
        f"{R}/logs/prompts/prompts.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.sample"),
        config=lambda wildcards: jobs.sample(),
    shell:
        "python -m valuedrift.prompts sample --config {params.config:q} --questions {input.questions:q}"
        " --value-laden {input.value_laden:q} --output {output:q} > {log:q} 2>&1"


rule curation_counts:
    input:
        raw=f"{P}/raw.parquet",
        questions=f"{P}/questions.parquet",
        clusters=f"{P}/clusters.parquet",
        categories=f"{P}/categories.parquet",
        value_laden=f"{P}/value_laden.parquet",
        prompts=f"{P}/prompts.parquet",
    output:
        f"{P}/curation.parquet",
    log:
        f"{R}/logs/prompts/curation.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.counts"),
    shell:
        "python -m valuedrift.prompts counts --raw {input.raw:q} --questions {input.questions:q} --clusters {input.clusters:q}"
        " --categories {input.categories:q} --value-laden {input.value_laden:q} --prompts {input.prompts:q} --output {output:q} > {log:q} 2>&1"


# The page for the step that people do: what the clusters are, and a `categories:` block that assigns them.
rule map2d:
    input:
        embeddings=f"{P}/embeddings.parquet",
    output:
        f"{P}/map2d.parquet",
    log:
        f"{R}/logs/prompts/map2d.log",
    conda:
        "../../envs/prompts.yaml"
    resources:
        **resources_of("map2d"),
    params:
        sources=sources("prompts.map2d"),
        config=lambda wildcards: jobs.map2d(),
    shell:
        "python -m valuedrift.prompts map2d --config {params.config:q} --embeddings {input.embeddings:q} --output {output:q} > {log:q} 2>&1"


rule suggestion:
    input:
        categories=f"{P}/categories.parquet",
    output:
        f"{P}/suggestion.yaml",
    log:
        f"{R}/logs/prompts/suggestion.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.suggestion"),
        config=lambda wildcards: jobs.suggestion(),
    shell:
        "python -m valuedrift.prompts suggestion --config {params.config:q} --categories {input.categories:q} --output {output:q} > {log:q} 2>&1"


rule clusters_page:
    input:
        ngrams=f"{P}/ngrams.parquet",
        clusters=f"{P}/clusters.parquet",
        categories=f"{P}/categories.parquet",
        questions=f"{P}/questions.parquet",
        embeddings=f"{P}/embeddings.parquet",
        coordinates=f"{P}/map2d.parquet",
        suggestion=f"{P}/suggestion.yaml",
    output:
        f"{P}/clusters.html",
    log:
        f"{R}/logs/prompts/clusters_page.log",
    conda:
        "../../envs/prompts.yaml"
    params:
        sources=sources("prompts.page"),
        config=lambda wildcards: jobs.clusters_page(),
    shell:
        "python -m valuedrift.prompts page --config {params.config:q} --ngrams {input.ngrams:q} --clusters {input.clusters:q}"
        " --categories {input.categories:q} --questions {input.questions:q} --embeddings {input.embeddings:q}"
        " --coordinates {input.coordinates:q} --suggestion {input.suggestion:q} --output {output:q} > {log:q} 2>&1"
