"""PPO's models on several GPUs: each process keeps its shard of every weight (FSDP2)."""

import copy
from typing import Any

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from valuedrift.train import processes


def sharded(model: Any, device: torch.device) -> Any:
    """Return the model on the device: whole, or this process's shard of it if the launcher asks for sharding.

    ZeRO-3 shards the same way and is done with FSDP2 too: DeepSpeed's engine would take over the optimizer's loop.
    """
    if not processes.strategy():
        return model.to(device)
    on_gpu = device.type == "cuda"
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if on_gpu else MixedPrecisionPolicy()
    # A scalar head is called separately, after the model whose hidden states it reads.
    heads = [model.score] if hasattr(model, "score") else []
    whole = model.base_model if heads else model
    layers = [module for module in whole.modules() if type(module).__name__ in (model._no_split_modules or ())]
    for part in (*layers, whole, *heads):
        fully_shard(part, mp_policy=policy, reshard_after_forward=True)  # else the outermost module stays unsharded after a pass
    return model


class SamplingCopy:
    """A policy that can be sampled: the policy itself, or, if its weights are sharded, a whole copy in the compute dtype.

    Responses end at different steps on different processes, so sampling cannot gather weights across processes.
    """

    def __init__(self, policy: Any, device: torch.device) -> None:
        """Copy the policy, which must not be sharded yet."""
        dtype = torch.bfloat16 if device.type == "cuda" else policy.dtype
        self.copy = copy.deepcopy(policy).to(device, dtype).requires_grad_(False) if processes.strategy() else None

    @torch.no_grad()
    def of(self, policy: Any) -> Any:
        """Return the policy with its current weights; all processes must call this."""
        if self.copy is None:
            return policy
        for name, weight in policy.named_parameters():
            self.copy.get_parameter(name).copy_(weight.full_tensor())
        return self.copy


def full_state(tree: Any) -> Any:
    """Return nested dicts and lists with sharded tensors gathered in the main process's host memory, None on the others."""
    if isinstance(tree, dict):
        return {key: full_state(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [full_state(value) for value in tree]
    if isinstance(tree, DTensor):
        gathered = tree.full_tensor()
        return gathered.cpu() if processes.is_main() else None
    return tree


def shard_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return this process's shard of a whole tensor if `like` is sharded, else a copy on its device that holds no file open."""
    if not isinstance(like, DTensor):
        return tensor.to(like.device, copy=True)
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
