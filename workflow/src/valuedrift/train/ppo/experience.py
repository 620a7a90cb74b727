"""Rollouts rated by the frozen reference and reward model, and the advantages computed from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from valuedrift.config.algorithms import PpoConfig
from valuedrift.train.ppo.advantages import advantages_and_returns, token_rewards, whitened
from valuedrift.train.ppo.rollout import read, sample
from valuedrift.train.ppo.rollout_batch import RolloutBatch, Rollouts, autocast, final_rewards, token_logprobs

Reader = Callable[[RolloutBatch], torch.Tensor]
"""A model's numbers for a batch: (rows,) or (rows, longest response)."""


@dataclass(frozen=True)
class Experience:
    """A batch of rollouts with what an update needs for each token: (rows, longest response), zero after a response's end."""

    rollouts: Rollouts
    mask: torch.Tensor
    logprobs: torch.Tensor
    values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor


@dataclass(frozen=True)
class Rated:
    """Rollouts with their rewards (rows,) and, for each token, the log probability and the log ratio to the reference model."""

    rollouts: Rollouts
    mask: torch.Tensor
    rewards: torch.Tensor
    logprobs: torch.Tensor
    kl: torch.Tensor

    def ended(self, end: int) -> torch.Tensor:
        """Return a boolean for each response, (rows,): True if it ends with the end token."""
        ended = [response[-1] == end for response in self.rollouts.responses]
        return torch.tensor(ended, device=self.rewards.device)


class Environment:
    """PPO's frozen models and the token that ends a response."""

    def __init__(self, reference: Any, scorer: Any, end: int, training: PpoConfig) -> None:
        self.reference, self.scorer, self.end, self.training = reference.eval(), scorer.eval(), end, training
        self.device: torch.device = reference.device

    def rate(self, policy: Any, logprobs: Reader, prompts: list[list[int]], key: tuple[int, ...]) -> Rated:
        """Sample a response to each prompt, the i-th from the random stream of (*key, i), and rate it; `logprobs` reads `policy`.

        Log probabilities come from a forward pass of their own, computed as in the update: the sampler's differ by rounding, which
        would give an unchanged policy ratios other than 1.
        """
        training = self.training
        rollouts = sample(
            policy, prompts, key, end=self.end, temperature=training.temperature, limit=training.max_response,
            at_once=training.rollout_batch_size,
        )  # fmt: skip
        own, reference = self.read(rollouts, logprobs), self.read(rollouts, self._reference_logprobs)
        lengths = torch.tensor([len(response) for response in rollouts.responses], device=self.device)
        mask = torch.arange(own.shape[1], device=self.device) < lengths[:, None]
        return Rated(rollouts, mask, self.read(rollouts, self._rewards), own, own - reference)

    def collect(
        self, policy: Any, logprobs: Reader, values: Reader, prompts: list[list[int]], key: tuple[int, ...]
    ) -> tuple[Experience, dict[str, float]]:
        """Return a batch of experience, and its means for the log."""
        training, rated = self.training, self.rate(policy, logprobs, prompts, key)
        final = rated.rewards - (training.eos_penalty or 0.0) * ~rated.ended(self.end)
        rewards = token_rewards(final, rated.kl, rated.mask, training.kl)
        if training.whiten_rewards:
            rewards = whitened(rewards, rated.mask, centred=False)
        estimated = self.read(rated.rollouts, values)
        advantages, returns = advantages_and_returns(rewards, estimated, training.discount, training.gae_lambda)
        advantages = whitened(advantages, rated.mask)
        means = {
            "reward": final.mean(),
            "penalized_reward": (final - training.kl * rated.kl.sum(1)).mean(),
            "kl": rated.kl.sum(1).mean(),
            "entropy": -rated.logprobs.sum(1).mean(),
            "response_length": rated.mask.sum(1).float().mean(),
            "ended": rated.ended(self.end).float().mean(),
        }
        experience = Experience(rated.rollouts, rated.mask, rated.logprobs, estimated, advantages, returns)
        return experience, {name: mean.item() for name, mean in means.items()}

    def read(self, rollouts: Rollouts, reader: Reader) -> torch.Tensor:
        """Return the reader's numbers for all rollouts."""
        return read(rollouts, self.training.device_batch_size or self.training.batch_size, reader, self.device)

    def _reference_logprobs(self, batch: RolloutBatch) -> torch.Tensor:
        with autocast(self.device):
            return token_logprobs(self.reference, batch, self.training.temperature)

    def _rewards(self, batch: RolloutBatch) -> torch.Tensor:
        with autocast(self.device):
            return final_rewards(self.scorer, batch)
