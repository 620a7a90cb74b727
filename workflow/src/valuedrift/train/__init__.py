"""Training: a base model, SFT, reward models, PPO, DPO and SimPO, each leaving a trajectory, a final model, a manifest and a
log."""
