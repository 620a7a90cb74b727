"""Rewards, advantages and returns of sampled responses: rows × tokens, zero behind a response's end."""

import torch


def token_rewards(final: torch.Tensor, kl: torch.Tensor, mask: torch.Tensor, coefficient: float) -> torch.Tensor:
    """The reward model's reward at the last token of each response (rows,), less a penalty on each token's log ratio to the
    reference, `kl` (Stiennon et al. 2020, section 3.4; Huang et al. 2024, detail 13)."""
    rewards = -coefficient * kl
    last = mask.sum(1, keepdim=True) - 1
    return rewards.scatter_add(1, last, final[:, None])


def advantages_and_returns(
    rewards: torch.Tensor, values: torch.Tensor, discount: float, decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalized advantage estimates (Schulman et al. 2016, equation 16) and the returns that the values should have told.

    A response ends with its last token, whether by an end token or by its limit: what follows has the value 0. Rewards and values
    are 0 there, so that padding adds nothing.
    """
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    surprise = rewards + discount * following - values
    estimates = torch.zeros_like(surprise)
    running = torch.zeros_like(surprise[:, 0])
    for step in range(surprise.shape[1] - 1, -1, -1):
        running = surprise[:, step] + discount * decay * running
        estimates[:, step] = running
    return estimates, estimates + values


def whitened(numbers: torch.Tensor, mask: torch.Tensor, centred: bool = True) -> torch.Tensor:
    """The numbers at the mask with unit variance, and mean 0 if `centred`, else their own; 0 elsewhere. A single number stays."""
    chosen = numbers[mask]
    if chosen.numel() < 2:
        return numbers * mask
    mean = chosen.mean()
    scaled = (numbers - mean) * (chosen.var() + 1e-8).rsqrt() + (0 if centred else mean)
    return scaled * mask
