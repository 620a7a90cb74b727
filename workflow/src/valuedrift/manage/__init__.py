"""Plan what a whole study costs, list its runs, prune its trajectories."""
