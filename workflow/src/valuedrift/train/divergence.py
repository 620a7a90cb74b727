"""A training whose numbers are no longer finite ends with the step, in all of its processes, and keeps no such weights."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from valuedrift.errors import UserError
from valuedrift.train import processes

WATCHED = ("loss", "grad_norm", "policy_loss", "value_loss")
"""What the logs of all algorithms have of the optimization itself. Their other numbers may be undefined for a batch."""


class Diverged(UserError):
    """A loss, a gradient or a weight is infinite or not a number; training on would not bring it back."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            f"the training has diverged: at step {step} {what}. Lower `learning_rate`, clip gradients harder (`max_grad_norm`) or"
            " lengthen `warmup`; with `dtype: bfloat16` weights, also try float32"
        )


class StopDiverged(TrainerCallback):  # type: ignore[misc]
    """Raises Diverged when a Trainer logs a number that is not finite."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        check_log(logs or {}, state.global_step)


def check_log(numbers: Mapping[str, Any], step: int) -> None:
    """Raise Diverged in all processes if a loss or a gradient's norm is not finite in one of them; all must call this."""
    wrong = [f"{name} is {numbers[name]}" for name in WATCHED if name in numbers and not math.isfinite(numbers[name])]
    if processes.in_any(bool(wrong)):
        raise Diverged(step, wrong[0] if wrong else "a loss of another process is not finite")


@torch.no_grad()
def check_weights(step: int, *models: Any) -> None:
    """Raise Diverged in all processes if a trained weight is not finite in one of them; all must call this.

    One reading of the weights and one wait for the GPU. On a CPU core 0.5 s for a billion weights, a sixth of `get_total_norm`.
    """
    parts = [_own_part(weight) for model in models for weight in model.parameters() if weight.requires_grad]
    ends = [torch.stack(part.aminmax()).float() for part in parts if part.numel()]  # a NaN is both the least and the largest
    if processes.in_any(bool(ends) and not bool(torch.stack(ends).isfinite().all())):
        raise Diverged(step, "weights are not finite")


def _own_part(weight: Any) -> torch.Tensor:
    """Return this process's part of a weight that is sharded, by FSDP2 or by DeepSpeed; else the weight."""
    part: torch.Tensor = weight.to_local() if isinstance(weight, DTensor) else getattr(weight, "ds_tensor", weight)
    return part.detach()
