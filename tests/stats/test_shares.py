"""Intervals of shares and of their differences: what they cover, where they lie, and the tests that belong to them."""

import numpy as np
import pytest
from scipy import stats

from valuedrift.stats.shares import Pairs, Sums, difference_limits, limits, p_moved, p_preserved

DRAWS = 2000
TAIL = 0.025


def responses(share, prompts, count, correlation, sure=True, seed=0):
    """Draws of probabilities (draws, prompts): means of `count` responses, which share a prompt's own propensity; a judge that is not
    sure gives each response a beta of the same mean, three responses' worth."""
    rng = np.random.default_rng(seed)
    size = (1 - correlation) / max(correlation, 1e-9)
    own = rng.beta(share * size, (1 - share) * size, (DRAWS, prompts, 1)) if correlation else np.full((DRAWS, prompts, 1), share)
    if sure:
        return (rng.random((DRAWS, prompts, count)) < own).mean(2)
    own = np.clip(own, 1e-9, 1 - 1e-9)
    return rng.beta(np.repeat(3 * own, count, 2), np.repeat(3 * (1 - own), count, 2)).mean(2)


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize(
    ("share", "prompts", "count", "correlation"),
    [(0.003, 200, 5, 0), (0.02, 50, 5, 0.3), (0.05, 50, 1, 0), (0.1, 10, 5, 0.8), (0.3, 50, 5, 0.3), (0.5, 10, 1, 0), (0.5, 200, 5, 0),
     (0.9, 50, 5, 0.8), (0.997, 50, 1, 0.3)],
)  # fmt: skip
def test_the_true_share_is_covered(share, prompts, count, correlation, sure):
    low, high = limits(Sums.of(responses(share, prompts, count, correlation, sure)), TAIL)
    covered = ((low <= share) & (share <= high)).mean()
    assert covered > 0.93 and (covered < 0.985 or not 0.1 < share < 0.9)
    assert low.min() >= 0 and high.max() <= 1 and (high - low).min() > 0


def test_it_is_as_wide_as_students_t_where_that_is_right():
    sample = responses(0.3, 50, 5, 0.3)
    low, high = limits(Sums.of(sample), TAIL)
    students = 2 * stats.t.ppf(1 - TAIL, 49) * sample.std(1, ddof=1) / np.sqrt(50)
    assert (high - low).mean() == pytest.approx(students.mean(), rel=0.03)


def test_one_prompt_says_nothing_and_none_has_no_mean():
    one = Sums.of_each([np.array([0.4])])
    assert np.array(limits(one, TAIL)).ravel().tolist() == [0, 1]
    pair = Pairs.of_each([np.array([0.4])], [np.array([0.9])])
    assert np.array(difference_limits(pair, TAIL)).ravel().tolist() == [-1, 1] and p_moved(pair).tolist() == [1]
    assert np.isnan(Sums.of_each([np.array([])]).mean).all()


def checkpoints(shares, prompts, seed=0):
    """Draws of five responses to the same prompts, of which a part of the noise is shared, as between neighbouring checkpoints."""
    rng = np.random.default_rng(seed)
    own, shared = rng.normal(size=(DRAWS, prompts, 1)), rng.normal(size=(DRAWS, prompts, 5))
    latent = [np.sqrt(0.3) * own + np.sqrt(0.35) * (shared + rng.normal(size=shared.shape)) for _ in shares]
    return [(one < stats.norm.ppf(share)).mean(2) for one, share in zip(latent, shares, strict=True)]


def paired(first, last, prompts, seed=0):
    return Pairs.of(*checkpoints((first, last), prompts, seed))


@pytest.mark.parametrize("prompts", [10, 50, 200])
@pytest.mark.parametrize(("first", "last"), [(0.3, 0.3), (0.02, 0.1), (0.3, 0.5), (0.5, 0.98)])
def test_the_true_difference_is_covered_and_no_difference_is_rarely_significant(first, last, prompts):
    pairs = paired(first, last, prompts)
    low, high = difference_limits(pairs, TAIL)
    covered = (low <= last - first) & (last - first <= high)
    assert covered.mean() > 0.93 and low.min() >= -1 and high.max() <= 1
    p = p_moved(pairs)
    assert ((p < 2 * TAIL) == ((low > 0) | (high < 0))).mean() > 0.999  # the test and the interval say the same
    if first == last:
        assert (p < 0.05).mean() < 0.06 and (p < 0.005).mean() < 0.01


def test_a_drift_of_just_the_margin_is_rarely_preserved_and_none_mostly_with_enough_prompts():
    assert (p_preserved(paired(0.3, 0.35, 200), 0.05) < 0.05).mean() < 0.06
    assert (p_preserved(paired(0.3, 0.3, 200), 0.05) < 0.05).mean() > 0.7
    assert (p_preserved(paired(0.3, 0.3, 10), 0.05) < 0.05).mean() < 0.01


@pytest.mark.parametrize("prompts", [10, 50])
@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.3, 0.3), (0.02, 0.02, 0.02, 0.02), (0.1, 0.3, 0.3, 0.5), (0.5, 0.98, 0.5, 0.5)])
def test_the_true_difference_of_two_drifts_is_covered_and_none_is_rarely_significant(shares, prompts):
    a, b, c, d = checkpoints(shares, prompts)
    drifts = Pairs.of_differences((a, b), (c, d))
    low, high = difference_limits(drifts, TAIL)
    truth = shares[3] - shares[2] - (shares[1] - shares[0])
    assert ((low <= truth) & (truth <= high)).mean() > 0.93 and low.min() >= -2 and high.max() <= 2
    if truth == pytest.approx(0):
        p = p_moved(drifts)
        assert (p < 0.05).mean() < 0.06 and (p < 0.0005).mean() < 0.002


def test_the_same_prompts_alone_do_not_make_two_drifts_certain():
    """Both drifts are those of one prompt, whose correlation is 1 by chance."""
    none, some, more = np.zeros((3, 1, 10))
    some[:, 0], more[:, 0] = 0.2, 0.6
    drifts = Pairs.of_differences((none, some), (none, more))
    low, high = difference_limits(drifts, TAIL)
    assert low < 0 < high and p_moved(drifts) > 0.05


@pytest.mark.parametrize("responses", [1, 5])
def test_an_interval_knows_of_changes_that_no_prompt_shows(responses):
    """Where all responses stay the same the interval has a width; where 2% change to the stance it covers that drift."""
    rng = np.random.default_rng(responses)
    before = rng.random((1000, 50, responses)) < rng.beta(1.2, 1.2, (1000, 50, 1))
    same = difference_limits(Pairs.of(before.mean(2), before.mean(2)), TAIL)
    assert (same.low < -0.005).all() and (same.high > 0.005).all()
    after = before | (rng.random(before.shape) < 0.04)
    low, high = difference_limits(Pairs.of(before.mean(2), after.mean(2)), TAIL)
    assert ((low <= 0.02) & (high >= 0.02)).mean() > 0.93
