# What jobs request, bound to Snakemake: `valuedrift.cluster.resources` decides it by rule name, from the table in `valuedrift.sizing.needs`.
from valuedrift.cluster.resources import JobResources, partition_mistake

if mistake := partition_mistake():
    logger.warning(mistake)

job_resources = JobResources(
    study,
    executor=lambda: workflow.executor_plugin and workflow.executor_plugin.name,
    partition_file=lambda: getattr(
        workflow.executor_settings, "partition_config", None
    ),
)
resources_of, threads_of = job_resources.resources, job_resources.threads


def launch(wildcards, resources, threads):
    return Untracked(job_resources.launch_command(resources.gpu, threads))
