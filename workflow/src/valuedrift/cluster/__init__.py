"""Decide where jobs run and what they request: GPUs of this machine, launch commands, SLURM partitions, orphaned jobs."""
