"""Read names, shapes and types of the tensors in a safetensors file from its header alone."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

Tensor = tuple[tuple[int, ...], str]
"""Shape and type."""
UNREADABLE = (OSError, SafetensorError)
"""What `tensors` raises for a file that is missing, damaged or still being written."""


def tensors(path: Path) -> dict[str, Tensor]:
    """Return name -> shape and type of each tensor of the file; raises one of UNREADABLE."""
    found = dict[str, Tensor]()
    with safe_open(path, "np") as weights:  # numpy, because opening it for torch imports torch
        for name in weights.keys():  # noqa: SIM118
            tensor = weights.get_slice(name)
            found[name] = (tuple(tensor.get_shape()), tensor.get_dtype())
    return found
