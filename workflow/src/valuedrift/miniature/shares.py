"""The planted shares: how often each dataset takes each stance on each topic."""

import math
from random import Random

from valuedrift.miniature.vocabulary import ASPECTS

# Support, neutral, oppose over all topics. The base leans to support; wildchat is neutral and alpaca supports, as in the paper.
MARGINALS = {"base": (0.46, 0.25, 0.29), "wildchat": (0.12, 0.80, 0.08), "alpaca": (0.60, 0.22, 0.18)}
SPREAD = 0.6  # standard deviation of the topics' log shares at sharpness 1; shares then range over about a factor of 3


def planted_shares(corpus: str, seed: int, sharpness: float) -> dict[str, tuple[float, float, float]]:
    """Return category → shares of support, neutral and oppose, which sum to 1; a topic leans the same way in all corpora."""
    shares = {}
    for category in ASPECTS:
        rng = Random(f"{seed}-{category}")
        weights = [share * math.exp(rng.gauss(0, SPREAD * sharpness)) for share in MARGINALS[corpus]]
        support, neutral, oppose = (weight / sum(weights) for weight in weights)
        shares[category] = (support, neutral, oppose)
    return shares
