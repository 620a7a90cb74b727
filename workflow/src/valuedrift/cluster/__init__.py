"""Where jobs run and what they ask for: GPUs on this machine, launch commands, SLURM partitions, leftover jobs."""
