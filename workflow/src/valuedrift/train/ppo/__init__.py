"""Proximal policy optimization: rollouts, rewards, advantages, and the updates of policy and value model."""

from valuedrift.train.ppo.step import run as run
