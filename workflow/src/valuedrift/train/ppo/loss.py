"""PPO's two clipped losses of each token: (rows, tokens)."""

import torch


def policy_losses(new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, clip: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return clipped surrogate losses from log probabilities (Schulman et al. 2017, equation 7), and where they are clipped."""
    ratio = (new - old).exp()
    plain, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.maximum(plain, clipped), clipped > plain


def value_losses(new: torch.Tensor, old: torch.Tensor, returns: torch.Tensor, clip: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return half the squared errors of the values, clipped to `clip` around the old ones, and True where they are clipped.

    As in OpenAI's baselines (Huang et al. 2024).
    """
    plain = (new - returns) ** 2
    clipped = (old + (new - old).clamp(-clip, clip) - returns) ** 2
    return 0.5 * torch.maximum(plain, clipped), clipped > plain
