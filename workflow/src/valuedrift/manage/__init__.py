"""Commands over a whole study: plan what it costs, list its runs, prune its trajectories."""
