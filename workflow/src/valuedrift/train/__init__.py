"""Training of models: each run leaves a trajectory of checkpoints, a final model, a manifest and a log."""
