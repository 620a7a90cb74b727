"""How a model that is trained gets to disk, from one process or from several that share its weights."""

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

    All processes of a training come here; the main one writes, and it alone gets the fingerprint.
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
    """A whole copy, on the main process, of a model whose weights the processes share; None on the others.

    A copy of its own, since the shared model computes in bfloat16: the fingerprint is that of the weights which are saved. It lies
    on the GPU where there is room for it, else in the host's memory.
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
    return copy.to(_room(copy))


def _whole(weight: Any) -> torch.Tensor | None:
    """The whole weight in the host's memory of the main process, None on the others; all of them come here."""
    if isinstance(weight, DTensor):
        whole = weight.full_tensor()
    elif hasattr(weight, "ds_id"):
        # The float32 weights of the optimizer, not the bfloat16 ones of the model: updates of 5e-7 would be rounded away.
        from deepspeed.utils import safe_get_full_fp32_param  # type: ignore[import-not-found]

        whole = safe_get_full_fp32_param(weight)
    else:
        whole = weight
    return whole.detach().cpu() if processes.is_main() else None


def _own_class(model: Any) -> Any:
    """The model's class as it was before FSDP2 put itself in front of it."""
    return next(kind for kind in type(model).__mro__ if not issubclass(kind, FSDPModule))


def _replace(model: Any, name: str, tensor: torch.Tensor) -> None:
    path, _, last = name.rpartition(".")
    setattr(model.get_submodule(path), last, tensor)


def _room(model: Any) -> str:
    """The device on which the model and its activations fit."""
    needed = 1.2 * sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return "cuda" if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > needed else "cpu"
