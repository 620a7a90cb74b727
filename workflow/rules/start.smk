# Before anything is submitted: do jobs of a Snakemake that was killed still run, what would pruned trajectories cost, which chat models
# are about to be switched off, does every job fit its GPUs and a partition, and has the hub all that is still to be downloaded?
from valuedrift.chat.spending import shutdown_warning
from valuedrift.cluster.accounting import check_sacct, understand_sacct
from valuedrift.cluster.orphans import refuse_orphans
from valuedrift.manage.retraining import check_retraining
from valuedrift.manage.snapshot import run_from
from valuedrift.manage.start import DryRunWarning, check_hub
from valuedrift.study.checks import outside

for warning in outside(study):
    logger.warning(warning)

logger.addFilter(DryRunWarning(workflow, lambda: check_retraining(study, workflow.dag)))


onstart:
    needed = list(workflow.dag.needrun_jobs())
    with OneLineErrors():
        if workflow.executor_plugin.name == "slurm":
            if workflow.executor_settings.status_command == "sacct":
                check_sacct()
            understand_sacct()
            refuse_orphans(Path.cwd())
        check_retraining(study, workflow.dag)
        leaving = filter(
            None, map(shutdown_warning, map(study.chat, study.config.chats))
        )
        unfit = job_resources.warnings(needed, workflow.is_local)
        for warning in [*leaving, *unfit]:
            logger.warning(warning)
        check_hub(jobs, needed)
    # Local jobs and those of a cluster go on with the code and the config that the study was started with.
    started = snapshot.keep(Path(".snakemake") / "valuedrift")
    run_from(workflow, started)
    shell.prefix(environments.shell_prefix(started))
