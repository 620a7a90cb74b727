"""What several training seeds add to the error of a mean over prompts that all of them answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
LEAST = 0.1
"""The least share of the prompts' variance that is taken for their own: with none, intervals of rare stances can have no width."""


@dataclass(frozen=True)
class Seeds:
    """The variance of a mean that shows in the seeds' own means, its degrees of freedom, and the share of the prompts' variance
    that does not (cells,).

    Seeds are crossed with prompts: a seed's mean varies by the seed and by what the seed does to single prompts, and so does a
    prompt's mean over seeds vary by the prompt and by that. `own` is the former's share, from an analysis of variance of two ways.
    """

    variance: Floats
    freedom: Floats
    own: Floats

    @classmethod
    def of_each(cls, samples: Sequence[Floats]) -> "Seeds":
        """Return the seeds' part of samples (seeds, prompts) of different sizes, one a cell; a single seed has none."""
        return cls(*np.array([_parts(sample) for sample in samples]).reshape(-1, 3).T)

    def at(self, cells: npt.NDArray[np.int64]) -> "Seeds":
        """Return some of the cells."""
        return Seeds(self.variance[cells], self.freedom[cells], self.own[cells])

    def widened(self, distance: Floats, tail: float | Floats) -> Floats:
        """Return the distance (cells,) from a mean to its limit, for seeds and prompts, from that for the prompts alone.

        Both parts are added in quadrature, as in the method of variance estimates recovery (Zou and Donner 2008), where the seeds'
        is that of Student's t over the seeds' means.
        """
        half = -special.stdtrit(self.freedom, tail) * np.sqrt(self.variance)
        found: Floats = np.hypot(np.sqrt(self.own) * distance, half)
        return found


def _parts(sample: Floats) -> tuple[float, float, float]:
    seeds, prompts = sample.shape
    if seeds < 2 or prompts < 2:
        return 0.0, 1.0, 1.0
    by_seed, by_prompt = sample.mean(1, keepdims=True), sample.mean(0, keepdims=True)
    rest = sample - by_seed - by_prompt + sample.mean()
    interaction = float((rest**2).sum()) / ((seeds - 1) * (prompts - 1))
    of_prompts = seeds * float(by_prompt.var(ddof=1))
    own = 1 - interaction / of_prompts if of_prompts > 0 else 1.0
    return float(by_seed.var(ddof=1)) / seeds, seeds - 1.0, max(LEAST, own)
