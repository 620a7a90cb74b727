"""Count the GPUs of this machine."""

import os
import re
from pathlib import Path


def gpus_here() -> int:
    """Return the number of CUDA devices that a job started here would see."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len([device for device in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", device.name)])
