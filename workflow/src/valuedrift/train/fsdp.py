"""PPO's models on several GPUs: each process keeps its part of every weight (FSDP2)."""

import copy
from typing import Any

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from valuedrift.train import processes


def shared(model: Any, device: torch.device) -> Any:
    """The model on the device: whole, or this process's part of it where the launcher wants the weights shared.

    ZeRO-3 shares the same way and is done by the same means: DeepSpeed's engine would want the optimizer's loop for itself.
    """
    if not processes.strategy():
        return model.to(device)
    on_gpu = device.type == "cuda"
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if on_gpu else MixedPrecisionPolicy()
    # A scalar head is called by itself, behind the model whose states it reads.
    heads = [model.score] if hasattr(model, "score") else []
    whole = model.base_model if heads else model
    layers = [module for module in whole.modules() if type(module).__name__ in (model._no_split_modules or ())]
    for part in (*layers, whole, *heads):
        fully_shard(part, mp_policy=policy, reshard_after_forward=True)  # else the outermost part stays whole after a pass
    return model


class Sampler:
    """A policy that can be sampled: itself, or, where its weights are shared, a whole copy in what the passes compute in.

    Responses end at different steps on different processes, so that none of them could ask the others for weights.
    """

    def __init__(self, policy: Any, device: torch.device) -> None:
        """To be made before the policy is shared."""
        dtype = torch.bfloat16 if device.type == "cuda" else policy.dtype
        self.copy = copy.deepcopy(policy).to(device, dtype).requires_grad_(False) if processes.strategy() else None

    @torch.no_grad()
    def of(self, policy: Any) -> Any:
        """The policy as it is now; all processes come here."""
        if self.copy is None:
            return policy
        for name, weight in policy.named_parameters():
            self.copy.get_parameter(name).copy_(weight.full_tensor())
        return self.copy


def whole(tree: Any) -> Any:
    """Nested dicts and lists with every shared tensor made whole, in the host's memory of the main process; None elsewhere."""
    if isinstance(tree, dict):
        return {key: whole(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [whole(value) for value in tree]
    if isinstance(tree, DTensor):
        tensor = tree.full_tensor()
        return tensor.cpu() if processes.is_main() else None
    return tree


def placed(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """This process's part of a whole tensor, if `like` is shared; a copy, beside that of `like`, that holds no file open."""
    if not isinstance(like, DTensor):
        return tensor.to(like.device, copy=True)
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
