# Downloads, pinned to a commit and shared by all studies. They run where Snakemake runs; no other job needs a network. Their source
# files are no inputs: a commit cannot come out differently, and all trainings below it would be done again.
import subprocess
import tempfile

DOWNLOADS = ("hub_model", "hub_dataset")


localrules:
    downloads,
    hub_model,
    hub_dataset,


# Before anything is submitted: whether jobs of a Snakemake that was killed still run, what pruned trajectories would cost, which chat
# models are about to go, and whether the hub has all that is still to be downloaded.
onstart:
    if workflow.executor_plugin.name == "slurm":
        try:
            refuse_beside(Path.cwd())
        except UserError as error:
            raise WorkflowError(str(error))
    retraining()
    for chat in map(study.chat, study.config.chats):
        if warning := shutdown_warning(chat):
            logger.warning(warning)
    needed = list(workflow.dag.needrun_jobs())
    for warning in [*lacking(needed), *misplaced(needed)]:
        logger.warning(warning)
    folders = [str(job.output[0]) for job in needed if job.rule.name in DOWNLOADS]
    tasks = [
        job.wildcards.task for job in needed if job.rule.name == "downstream_data"
    ]
    if folders or tasks:
        with tempfile.TemporaryDirectory() as folder:
            job, answer = jobs.access(folders, tasks), f"{folder}/access.json"
            command = f"{sys.executable} -m valuedrift.hub access --config".split()
            asked = subprocess.run(
                [*command, job, "--output", answer],
                env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)},
                stderr=subprocess.PIPE,
                text=True,
            )
        if asked.returncode:
            raise WorkflowError(asked.stderr.strip())


# All that needs a network: `snakemake downloads` on a machine that has one, and the study on one that has not.
rule downloads:
    input:
        list(study.hub_models),
        list(study.hub_datasets),
        expand(
            f"{R}/downstream/{{task}}",
            task=study.config.downstream.tasks if study.benchmarked else [],
        ),


rule hub_model:
    output:
        directory("{folder}"),
    log:
        f"{R}/logs/{{folder}}.log",
    wildcard_constraints:
        folder=Study.pattern(study.hub_models),
    conda:
        "../../envs/train.yaml"
    params:
        config=lambda wildcards: jobs.download(wildcards.folder),
    shell:
        "HF_HUB_OFFLINE=0 python -m valuedrift.hub model --config {params.config:q} --output {output} > {log} 2>&1"


rule hub_dataset:
    output:
        directory("{folder}"),
    log:
        f"{R}/logs/{{folder}}.log",
    wildcard_constraints:
        folder=Study.pattern(study.hub_datasets),
    conda:
        "../../envs/train.yaml"
    params:
        config=lambda wildcards: jobs.download(wildcards.folder),
    shell:
        "HF_HUB_OFFLINE=0 python -m valuedrift.hub dataset --config {params.config:q} --output {output} > {log} 2>&1"
