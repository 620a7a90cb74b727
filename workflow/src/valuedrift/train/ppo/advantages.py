"""Rewards, advantages and returns of sampled responses: (rows, tokens), zero after a response's end."""

import torch


def token_rewards(final: torch.Tensor, kl: torch.Tensor, mask: torch.Tensor, coefficient: float) -> torch.Tensor:
    """Return per-token rewards: -`coefficient` times `kl`, plus `final` at the last token of each response.

    `kl` is each token's log ratio to the reference model, `final` (rows,) the reward model's reward (Stiennon et al. 2020, section
    3.4; Huang et al. 2024, detail 13).
    """
    rewards = -coefficient * kl
    last = mask.sum(1, keepdim=True) - 1
    return rewards.scatter_add(1, last, final[:, None])


def advantages_and_returns(
    rewards: torch.Tensor, values: torch.Tensor, discount: float, decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return generalized advantage estimates (Schulman et al. 2016, equation 16) and the returns that values are trained on.

    A response ends with its last token, whether that is an end token or the length limit: the state after it has the value 0.
    Rewards and values are 0 after it, so padding adds nothing.
    """
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    residuals = rewards + discount * following - values
    estimates = torch.zeros_like(residuals)
    running = torch.zeros_like(residuals[:, 0])
    for step in range(residuals.shape[1] - 1, -1, -1):
        running = residuals[:, step] + discount * decay * running
        estimates[:, step] = running
    return estimates, estimates + values


def whitened(numbers: torch.Tensor, mask: torch.Tensor, centred: bool = True) -> torch.Tensor:
    """Return the masked numbers scaled to unit variance, 0 elsewhere; with mean 0 if `centred`, else with their own mean.

    A single number is returned unchanged.
    """
    chosen = numbers[mask]
    if chosen.numel() < 2:
        return numbers * mask
    mean = chosen.mean()
    scaled = (numbers - mean) * (chosen.var() + 1e-8).rsqrt() + (0 if centred else mean)
    return scaled * mask
