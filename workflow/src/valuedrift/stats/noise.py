"""What sampling alone does to a drift."""

import numpy as np
from scipy import stats

from valuedrift.stats.shares import Floats

TAIL = 0.025
"""Either tail of a 95% interval."""


def standard_error(low: Floats, high: Floats, prompts: Floats, tail: float = TAIL) -> Floats:
    """Return the standard errors (cells,) of means over prompts by their limits, which are about as wide as Student's t's.

    Limits over few training seeds are wider than that, so what comes out of them is too large.
    """
    found: Floats = (high - low) / 2 / stats.t.isf(tail, np.maximum(prompts - 1, 1))
    return found


def size(drifts: Floats, stderr: Floats) -> Floats:
    """Return the sizes of drifts (cells,) less the mean size that a drift of nothing shows, which is that of a normal number."""
    found: Floats = np.abs(drifts) - np.sqrt(2 / np.pi) * stderr
    return found
