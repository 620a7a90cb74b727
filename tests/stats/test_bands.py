"""Simultaneous bands: what they hold at once, and what they do not count twice."""

import numpy as np
import pytest
from scipy import stats

from valuedrift.stats.bands import joint_confidence
from valuedrift.stats.shares import Sums, limits

CHECKPOINTS = 20


def trajectory(rng, prompts=50):
    """Means of five responses (prompts, checkpoints x 3 stances) with a rising, a falling and a rare stance, and the true means."""
    support, oppose = np.linspace(0.3, 0.5, CHECKPOINTS), np.full(CHECKPOINTS, 0.02)
    own, same = rng.normal(size=(prompts, 1, 1)), rng.normal(size=(prompts, 5, 1))
    latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.normal(size=(prompts, 5, CHECKPOINTS)))
    first, last = (latent < stats.norm.ppf(support)).mean(1), (latent > stats.norm.isf(oppose)).mean(1)
    return np.concatenate([first, 1 - first - last, last], 1), np.concatenate([support, 1 - support - oppose, oppose])


def test_all_values_of_a_trajectory_are_in_the_band_at_once():
    rng = np.random.default_rng(0)
    held = {"band": 0, "pointwise": 0}
    for _ in range(200):
        sample, truth = trajectory(rng)
        joint = joint_confidence(sample, 0.95, 500, 0)
        for name, confidence in (("band", joint), ("pointwise", 0.95)):
            low, high = limits(Sums.of(sample.T), (1 - confidence) / 2)
            held[name] += bool(((low <= truth) & (truth <= high)).all())
    assert held["band"] >= 0.92 * 200 and held["pointwise"] < 0.6 * 200


def test_the_same_mean_again_needs_no_wider_intervals_and_others_do():
    sample = np.random.default_rng(0).random((200, 1))
    assert joint_confidence(np.repeat(sample, 30, 1), 0.95, 4000, 0) == pytest.approx(0.95, abs=0.01)
    others = np.random.default_rng(1).random((200, 30))
    assert joint_confidence(others, 0.95, 4000, 0) == pytest.approx(0.95 ** (1 / 30), abs=0.0005)  # Šidák


def test_what_does_not_vary_and_what_was_not_scored_do_not_count():
    rng = np.random.default_rng(0)
    sample = rng.random((50, 4))
    wanted = joint_confidence(sample, 0.95, 1000, 0)
    nothing = np.full((50, 1), np.nan)
    assert joint_confidence(np.hstack([sample, nothing, np.full((50, 1), 0.5)]), 0.95, 1000, 0) == wanted
    assert joint_confidence(np.full((50, 3), 1.0), 0.95, 1000, 0) == 0.95
