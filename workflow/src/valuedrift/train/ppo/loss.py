"""The two clipped losses of PPO, of each token: rows × tokens."""

import torch


def policy_losses(new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, clip: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Clipped surrogate losses (Schulman et al. 2017, equation 7) from log probabilities, and where clipping decided."""
    ratio = (new - old).exp()
    plain, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.maximum(plain, clipped), clipped > plain


def value_losses(new: torch.Tensor, old: torch.Tensor, returns: torch.Tensor, clip: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Half the squared errors of the values, which may earn nothing from moving further than `clip` from the old ones (Huang et al.
    2024, from OpenAI's baselines), and where clipping decided."""
    plain = (new - returns) ** 2
    clipped = (old + (new - old).clamp(-clip, clip) - returns) ** 2
    return 0.5 * torch.maximum(plain, clipped), clipped > plain
