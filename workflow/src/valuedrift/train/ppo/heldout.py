"""Measure reward and KL on prompts that PPO does not train on."""

from typing import Any

from valuedrift.train.ppo.experience import Environment, Reader
from valuedrift.train.ppo.rollout import HELDOUT


class Heldout:
    """Measures a policy on held-out prompts; every call draws the same random numbers, so that policies are comparable."""

    def __init__(self, prompts: list[list[int]], environment: Environment, run: str, seed: int) -> None:
        self.prompts, self.environment, self.run, self.seed = prompts, environment, run, seed

    def __call__(self, policy: Any, logprobs: Reader, step: int) -> list[dict[str, Any]]:
        """Return rows of TRAINING_LOG: mean reward, KL per response to the reference (sampled, in nats), tokens per response."""
        if not self.prompts:
            return []
        rated = self.environment.rate(policy, logprobs, self.prompts, (self.seed, HELDOUT))
        means = {"reward": rated.rewards.mean(), "kl": rated.kl.sum(1).mean(), "length": rated.mask.sum(1).float().mean()}
        return [{"run": self.run, "step": step, "metric": f"heldout_{name}", "value": mean.item()} for name, mean in means.items()]
