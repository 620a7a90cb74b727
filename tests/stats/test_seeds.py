"""What several training seeds add to an interval."""

import numpy as np
import pytest
from scipy import stats

from valuedrift.stats.seeds import Seeds
from valuedrift.stats.shares import Pairs, Sums, difference_limits, limits, p_moved

DRAWS, PROMPTS, TAIL = 1000, 50, 0.025


def samples(share, deviation, seeds, rng, own=None):
    """Prompt means (draws, seeds, prompts) of five responses, and the prompts' propensities: seeds differ in their share, a beta of this
    standard deviation, and prompts in a normal propensity, a part of which is another under each seed."""
    size = share * (1 - share) / deviation**2 - 1 if deviation else 0
    shares = rng.beta(share * size, (1 - share) * size, (DRAWS, seeds, 1, 1)) if deviation else np.full((1, 1, 1, 1), share)
    own = rng.standard_normal((DRAWS, 1, PROMPTS, 1)) if own is None else own
    shape = DRAWS, seeds, PROMPTS
    latent = np.sqrt(0.3) * own + np.sqrt(0.1) * rng.standard_normal((*shape, 1)) + np.sqrt(0.6) * rng.standard_normal((*shape, 5))
    return (latent < stats.norm.ppf(shares)).mean(3), own


@pytest.mark.parametrize("deviation", [0, 0.05, 0.1])
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_mean_over_all_seeds_and_prompts_is_covered(seeds, deviation):
    sample, own = samples(0.3, deviation, seeds, np.random.default_rng(0))
    low, high = limits(Sums.of(sample.mean(1)), TAIL, Seeds.of_each(sample))
    assert 0.935 < ((low <= 0.3) & (high >= 0.3)).mean() < 0.985
    alone = limits(Sums.of(sample.mean(1)), TAIL)
    assert (
        deviation < 0.1 or ((alone.low <= 0.3) & (alone.high >= 0.3)).mean() < 0.85
    )  # the prompts' interval says nothing of seeds
    last, _ = samples(0.4, deviation, seeds, np.random.default_rng(1), own)
    pairs = Pairs.of_each(sample.mean(1), last.mean(1), Seeds.of_each(last - sample))
    low, high = difference_limits(pairs, TAIL)
    assert 0.93 < ((low <= 0.1) & (high >= 0.1)).mean() < 0.985


def test_one_seed_is_the_run_itself():
    sample, _ = samples(0.3, 0.1, 1, np.random.default_rng(0))
    alone = limits(Sums.of(sample[:, 0]), TAIL)
    assert np.allclose(limits(Sums.of(sample[:, 0]), TAIL, Seeds.of_each(sample)), alone)


def test_equal_seeds_add_nothing_and_no_interval_is_without_width():
    sample, _ = samples(0.3, 0, 1, np.random.default_rng(0))
    alone, thrice = (limits(Sums.of(sample[:, 0]), TAIL, seeds) for seeds in (None, Seeds.of_each(sample.repeat(3, 1))))
    assert np.allclose(alone, thrice)
    rare = np.zeros((2, 2, PROMPTS))
    rare[1, [0, 1], [0, 1]] = 0.2  # one response under each seed, so that the seeds' means are equal and their prompts differ
    low, high = limits(Sums.of(rare.mean(1)), TAIL, Seeds.of_each(rare))
    assert (high > low).all() and (low >= 0).all()


def test_p_is_where_the_interval_ends_at_no_drift():
    rng = np.random.default_rng(2)
    first, own = samples(0.3, 0.05, 3, rng)
    last, _ = samples(0.4, 0.05, 3, rng, own)
    pairs = Pairs.of_each(first[:40].mean(1), last[:40].mean(1), Seeds.of_each((last - first)[:40]))
    low, high = difference_limits(pairs, p_moved(pairs) / 2)
    inside = p_moved(pairs) < 0.99
    assert inside.sum() > 20 and np.allclose(np.minimum(abs(low), abs(high))[inside], 0, atol=1e-6)
