"""What intervals over several training seeds are worth, next to others."""

from collections.abc import Iterator

import numpy as np
from scipy import stats
from simulated import TAIL, Row, covered

from valuedrift.stats.seeds import Seeds
from valuedrift.stats.shares import Floats, Limits, Pairs, Sums, difference_limits, limits

PROMPTS = 50


def seeded(
    rng: np.random.Generator, share: float, deviation: float, seeds: int, draws: int, own: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return prompt means (draws, seeds, prompts) of five responses, and the prompts' own propensities.

    Seeds have shares of their own, a beta with this mean and standard deviation; 30% of a normal propensity are the prompt's own,
    10% what a seed does to a prompt.
    """
    size = share * (1 - share) / deviation**2 - 1 if deviation else 0.0
    shares = rng.beta(share * size, (1 - share) * size, (draws, seeds, 1, 1)) if deviation else np.full((1, 1, 1, 1), share)
    shape = draws, seeds, PROMPTS
    own = rng.standard_normal((draws, 1, PROMPTS, 1), np.float32) if own is None else own
    single, each = rng.standard_normal((*shape, 1), np.float32), rng.standard_normal((*shape, 5), np.float32)
    latent = np.sqrt(0.3) * own + np.sqrt(0.1) * single + np.sqrt(0.6) * each
    return (latent < stats.norm.ppf(shares)).mean(3), own


def over_seeds(sample: Floats) -> dict[str, Limits]:
    """Return limits of the mean of samples (cells, seeds, prompts) by what else can be done: Student's t over the seeds' means, and
    the mean square of seeds plus that of prompts less the interaction's with the degrees of freedom of Satterthwaite (1946)."""
    _, seeds, prompts = sample.shape
    by_seed, by_prompt, mean = sample.mean(2), sample.mean(1), sample.mean((1, 2))
    rest = sample - by_seed[:, :, None] - by_prompt[:, None] + mean[:, None, None]
    freedom = np.array([seeds - 1, prompts - 1, (seeds - 1) * (prompts - 1)])
    squares = np.stack([prompts * by_seed.var(1, ddof=1), seeds * by_prompt.var(1, ddof=1), (rest**2).sum((1, 2)) / freedom[2]])
    total = np.maximum(squares[0] + squares[1] - squares[2], 1e-12)
    found = {
        "t over seeds": stats.t.isf(TAIL, seeds - 1) * by_seed.std(1, ddof=1) / np.sqrt(seeds),
        "Satterthwaite": stats.t.isf(TAIL, total**2 / np.maximum((squares**2 / freedom[:, None]).sum(0), 1e-30))
        * np.sqrt(total / seeds / prompts),
    }
    return {name: Limits(mean - half, mean + half) for name, half in found.items()}


def seed_coverage(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Yield what intervals over seeds cover, a row for each kind of cell, number of seeds and standard deviation over seeds.

    A magnitude is from one start for all seeds, as that of SFT, or from each seed's own, as that of what follows SFT.
    """
    for deviation in (0.0, 0.05, 0.1):
        for seeds in (3, 5):
            for share in (0.05, 0.3, 0.5):
                sample, _ = seeded(rng, share, deviation, seeds, draws)
                ours = limits(Sums.of(sample.mean(1)), TAIL, Seeds.of_each(sample))
                yield _over_seeds_row(f"value {share}", deviation, seeds, share, ours, sample)
            for first, last in ((0.3, 0.3), (0.1, 0.3), (0.3, 0.5)):
                for common in (True, False):
                    start, own = seeded(rng, first, 0 if common else deviation / 2, 1 if common else seeds, draws)
                    start = np.broadcast_to(start, (draws, seeds, PROMPTS))
                    end, _ = seeded(rng, last, deviation, seeds, draws, own)
                    pair = Pairs.of_each(start.mean(1), end.mean(1), Seeds.of_each(end - start))
                    kind = f"{first} to {last}, {'one start' if common else 'own starts'}"
                    yield _over_seeds_row(kind, deviation, seeds, last - first, difference_limits(pair, TAIL), end - start)


def _over_seeds_row(kind: str, deviation: float, seeds: int, truth: float, ours: Limits, sample: Floats) -> Row:
    others = {name: covered(found, truth) for name, found in over_seeds(sample).items()}
    width = float((ours.high - ours.low).mean())
    return {"cell": kind, "SD over seeds": deviation, "seeds": seeds, "pooled": covered(ours, truth), **others, "width": width}
