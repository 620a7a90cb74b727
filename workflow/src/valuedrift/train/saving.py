"""Save a model in training to disk, from one process or from several that share its weights."""

from pathlib import Path
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from valuedrift.lm.fingerprint import Fingerprint, take_fingerprint
from valuedrift.train import processes
from valuedrift.train.model import merged


def save_model(model: Any, tokenizer: Any, folder: Path) -> Fingerprint | None:
    """Save weights in safetensors, adapters merged, and the tokenizer; returns the checkpoint's fingerprint.

    All processes of a training must call this; the main one writes, and only it gets the fingerprint.
    """
    whole = gathered(model) if processes.strategy() else model
    fingerprint = None
    if processes.is_main():
        whole = merged(whole)
        whole.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        fingerprint = take_fingerprint(whole, tokenizer)
    processes.barrier()
    return fingerprint


@torch.no_grad()
def gathered(model: Any) -> Any:
    """Return a whole copy, on the main process, of a model whose weights are sharded; None on the others.

    A separate copy, since the sharded model computes in bfloat16, and the fingerprint is that of the weights which are saved. It is
    on the GPU if there is room for it, else in the host's memory.
    """
    weights = {name: _whole(weight) for name, weight in model.named_parameters()}
    if not processes.is_main():
        return None
    with torch.device("meta"):
        copy = _own_class(model)(model.config)
    for name, weight in weights.items():
        assert weight is not None
        _replace(copy, name, torch.nn.Parameter(weight, requires_grad=False))
    for name, buffer in model.named_buffers():
        _replace(copy, name, buffer.cpu())
    copy.tie_weights()
    copy.generation_config = getattr(model, "generation_config", None)
    return copy.to(_device_for(copy))


def _whole(weight: Any) -> torch.Tensor | None:
    """Return the whole weight in the main process's host memory, None on the others; all processes must call this."""
    if isinstance(weight, DTensor):
        whole = weight.full_tensor()
    elif hasattr(weight, "ds_id"):
        # The optimizer's float32 weights, not the model's bfloat16 ones: updates of 5e-7 would be rounded away.
        from deepspeed.utils import safe_get_full_fp32_param  # type: ignore[import-not-found]

        whole = safe_get_full_fp32_param(weight)
    else:
        whole = weight
    return whole.detach().cpu() if processes.is_main() else None


def _own_class(model: Any) -> Any:
    """Return the model's class without the FSDP2 class that was put in front of it."""
    return next(kind for kind in type(model).__mro__ if not issubclass(kind, FSDPModule))


def _replace(model: Any, name: str, tensor: torch.Tensor) -> None:
    path, _, last = name.rpartition(".")
    setattr(model.get_submodule(path), last, tensor)


def _device_for(model: Any) -> str:
    """Return the device on which the model and its activations fit."""
    needed = 1.2 * sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return "cuda" if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > needed else "cpu"
