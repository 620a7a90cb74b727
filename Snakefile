# Wiring only: the study's config decides which runs there are, the rule files name the command that makes each artifact, and typed
# Python (study/inputs.py, study/jobs/, study/environments.py) says what a job reads and where it runs.
from snakemake.utils import min_version

min_version("9.27")

# Snakemake merges --configfile into what is loaded here, so the built-in study is loaded only when none is given.
if not workflow.config_settings.configfiles:

    configfile: "config/miniature.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/start.smk"
include: "workflow/rules/hub.smk"
include: "workflow/rules/prompts.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/synthetic.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/human.smk"
include: "workflow/rules/drift.smk"
include: "workflow/rules/downstream.smk"
include: "workflow/rules/report.smk"


if study.config.miniature:

    include: "workflow/rules/miniature.smk"


rule all:
    default_target: True
    input:
        f"{R}/report.html",
        f"{R}/drift.parquet",
        expand(f"{R}/contrasts/{{contrast}}.parquet", contrast=study.config.contrasts),
        f"{P}/clusters.html",
        study.judges_pages,
        # By name: of a failed table, which the report reads, nothing would be made again where the report's other inputs are as before.
        rules.paper.input,
