"""What a policy meets in PPO: prompts, a frozen reference, a frozen reward model; and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from valuedrift.config.algorithms import PpoConfig
from valuedrift.train.ppo.advantages import advantages_and_returns, token_rewards, whitened
from valuedrift.train.ppo.rollout import read, sample
from valuedrift.train.ppo.rollout_batch import Batch, Dialogues, autocast, final_rewards, token_logprobs

Reader = Callable[[Batch], torch.Tensor]


@dataclass(frozen=True)
class Experience:
    """A batch of responses with what an update needs of each token: rows × longest response, zero behind a response's end."""

    dialogues: Dialogues
    mask: torch.Tensor
    logprobs: torch.Tensor
    values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor


@dataclass(frozen=True)
class Rated:
    """Responses with their rewards (rows,) and, for each token, its log probability and the log ratio to the reference's."""

    dialogues: Dialogues
    mask: torch.Tensor
    rewards: torch.Tensor
    logprobs: torch.Tensor
    kl: torch.Tensor

    def ended(self, end: int) -> torch.Tensor:
        """Whether each response has its end token, (rows,)."""
        found = [response[-1] == end for response in self.dialogues.responses]
        return torch.tensor(found, device=self.rewards.device)


class Environment:
    """The frozen models of PPO, and the token that ends a response."""

    def __init__(self, reference: Any, scorer: Any, end: int, training: PpoConfig) -> None:
        self.reference, self.scorer, self.end, self.training = reference.eval(), scorer.eval(), end, training
        self.device: torch.device = reference.device

    def rate(self, policy: Any, logprobs: Reader, prompts: list[list[int]], key: tuple[int, ...]) -> Rated:
        """Sample a response to each prompt, the i-th from the stream of (*key, i), and have it judged; `logprobs` reads `policy`.

        The log probabilities are read in a pass of their own, as the update reads them: the sampler's would differ by rounding, so
        that an unmoved policy had ratios other than 1.
        """
        training = self.training
        dialogues = sample(
            policy, prompts, key, end=self.end, temperature=training.temperature, limit=training.max_response,
            at_once=training.rollout_batch_size,
        )  # fmt: skip
        own, reference = self.read(dialogues, logprobs), self.read(dialogues, self._reference_logprobs)
        lengths = torch.tensor([len(response) for response in dialogues.responses], device=self.device)
        mask = torch.arange(own.shape[1], device=self.device) < lengths[:, None]
        return Rated(dialogues, mask, self.read(dialogues, self._rewards), own, own - reference)

    def collect(
        self, policy: Any, logprobs: Reader, values: Reader, prompts: list[list[int]], key: tuple[int, ...]
    ) -> tuple[Experience, dict[str, float]]:
        """A batch of rollouts, and its means for the log."""
        training, rated = self.training, self.rate(policy, logprobs, prompts, key)
        final = rated.rewards - (training.eos_penalty or 0.0) * ~rated.ended(self.end)
        rewards = token_rewards(final, rated.kl, rated.mask, training.kl)
        if training.whiten_rewards:
            rewards = whitened(rewards, rated.mask, centred=False)
        told = self.read(rated.dialogues, values)
        advantages, returns = advantages_and_returns(rewards, told, training.discount, training.gae_lambda)
        advantages = whitened(advantages, rated.mask)
        means = {
            "reward": final.mean(),
            "penalized_reward": (final - training.kl * rated.kl.sum(1)).mean(),
            "kl": rated.kl.sum(1).mean(),
            "entropy": -rated.logprobs.sum(1).mean(),
            "response_length": rated.mask.sum(1).float().mean(),
            "ended": rated.ended(self.end).float().mean(),
        }
        experience = Experience(rated.dialogues, rated.mask, rated.logprobs, told, advantages, returns)
        return experience, {name: mean.item() for name, mean in means.items()}

    def read(self, dialogues: Dialogues, reader: Reader) -> torch.Tensor:
        """What the reader tells of each dialogue."""
        return read(dialogues, self.training.device_batch_size or self.training.batch_size, reader, self.device)

    def _reference_logprobs(self, batch: Batch) -> torch.Tensor:
        with autocast(self.device):
            return token_logprobs(self.reference, batch, self.training.temperature)

    def _rewards(self, batch: Batch) -> torch.Tensor:
        with autocast(self.device):
            return final_rewards(self.scorer, batch)
