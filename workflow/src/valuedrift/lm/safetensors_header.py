"""Read names, shapes and types of the tensors in safetensors files from their headers alone."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from valuedrift.errors import UserError

Tensor = tuple[tuple[int, ...], str]
"""Shape and type."""
UNREADABLE = (OSError, SafetensorError)
"""What `tensors` raises for a file that is missing, damaged or still being written."""
INDEX = "model.safetensors.index.json"


def tensors(path: Path) -> dict[str, Tensor]:
    """Return name -> shape and type of each tensor of the file; raises one of UNREADABLE."""
    found = dict[str, Tensor]()
    with safe_open(path, "np") as weights:  # numpy, because opening it for torch imports torch
        for name in weights.keys():  # noqa: SIM118
            tensor = weights.get_slice(name)
            found[name] = (tuple(tensor.get_shape()), tensor.get_dtype())
    return found


def model_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the same for a model: of the files that its index names, or without an index of all in its folder.

    Raises UserError if one is missing or not as long as its header says.
    """
    found = dict[str, Tensor]()
    path = folder / INDEX
    try:
        named = json.loads(path.read_bytes())["weight_map"].values() if path.exists() else None
        for path in [folder / name for name in sorted(set(named))] if named else sorted(folder.glob("*.safetensors")):
            found |= tensors(path)
    except (*UNREADABLE, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error}): the checkpoint is incomplete; make it again") from error
    return found
