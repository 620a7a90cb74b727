"""When a share of a change was reached: by hand, against an isotonic regression, and on simulated trajectories whose truth is known."""

import numpy as np
import pytest
from scipy import optimize, stats

from valuedrift.stats.crossings import Crossing, _crossed, crossings

TAIL = 0.025


def resamples(prompts, count=200, seed=0):
    return np.random.default_rng(seed).multinomial(prompts, np.full(prompts, 1 / prompts), count).astype(float)


def of(sample, at=None, levels=(0.5, 0.9), extremum="direction"):
    sample = np.array(sample, float)
    at = np.linspace(0, 1, sample.shape[1]) if at is None else np.array(at)
    return crossings(sample, at, levels, extremum, resamples(len(sample)), TAIL)


@pytest.mark.parametrize(
    ("means", "at", "half", "ninety"),
    [
        ([0.2, 0.3, 0.4, 0.5, 0.6], None, 0.5, 0.9),  # a line
        ([0.6, 0.5, 0.4, 0.3, 0.2], None, 0.5, 0.9),  # falling
        ([0.2, 0.6, 0.6, 0.6, 0.6], None, 0.125, 0.225),  # between the start and the first checkpoint
        ([0.2, 0.4, 0.6, 0.5, 0.4], None, 0.25, 0.45),  # up to the extremum, not back
        ([0.2, 0.4, 0.6], [0.0, 0.5, 0.6], 0.5, 0.58),  # an uneven grid
        ([0.2, 0.2, 0.2, 0.6], [0.0, 0.25, 0.5, 1.0], 0.75, 0.95),
    ],
)
def test_prompts_that_agree_have_their_crossings(means, at, half, ninety):
    found = of([means] * 20, at)
    assert [crossing.at for crossing in found] == pytest.approx([half, ninety])
    assert all(crossing.low == pytest.approx(crossing.at) == crossing.high for crossing in found)


def test_limits_move_out_to_checkpoints():
    assert Crossing(0.33, 0.31, 0.48).on_grid(np.array([0, 0.25, 0.5, 1])) == (0.33, 0.25, 0.5)
    assert Crossing(0.5, 0.5, 0.5).on_grid(np.array([0, 0.25, 0.5, 1])) == (0.5, 0.5, 0.5)
    assert Crossing(0.3, 0.0, 1.0).on_grid(np.array([0, 0.25, 0.5, 1])) == (0.3, 0.0, 1.0)


def test_the_farthest_value_is_not_always_in_the_direction_of_the_end():
    sample = [[0.5, 0.9, 0.7, 0.45]] * 5
    assert of(sample)[0].at > 2 / 3 and of(sample, extremum="farthest")[0].at == pytest.approx(1 / 6)


def test_where_nothing_changes_there_is_no_time():
    assert of([[0.4, 0.4, 0.4]] * 5) == [None, None]


def test_a_prompt_that_was_not_scored_at_a_checkpoint_is_left_out_there():
    whole = np.repeat([[0.2, 0.3, 0.4, 0.5, 0.6]], 20, 0)
    part = whole.copy()
    part[3, 1] = part[7:, 2] = np.nan
    assert np.array(of(part)) == pytest.approx(np.array(of(whole)))


def test_the_crossing_is_that_of_the_isotonic_regression():
    rng = np.random.default_rng(0)
    change, at = rng.normal(np.linspace(0, 2, 25), 1, (200, 25)), np.linspace(0, 1, 25)
    change[:, 0] = 0
    end, level = change[:, 1:].argmax(1) + 1, change.max(1) * 0.6
    found = _crossed(change.T, at, level, end, np.ones(200, bool))
    for row, last, wanted, time in zip(change, end, level, found, strict=True):
        fit = optimize.isotonic_regression(row[: last + 1]).x
        after = int(np.argmax(fit >= wanted))
        part = (wanted - fit[after - 1]) / (fit[after] - fit[after - 1])
        assert time == pytest.approx(at[after - 1] + part * (at[after] - at[after - 1]))


SHAPES = {
    "fast": lambda t: 1 - np.exp(-t / 0.04),
    "slow": lambda t: t,
    "bump": lambda t: np.where(t < 0.4, np.sin(np.pi * t / 0.8), 0.75 + 0.25 * np.cos(np.pi * (t - 0.4) / 0.6)),
}


def drawn(rng, shares, prompts):
    """Means of five responses (prompts, checkpoints), with noise of the prompt, of the response, and of the checkpoint."""
    own, same = rng.normal(size=(prompts, 1, 1)), rng.normal(size=(prompts, 5, 1))
    latent = np.sqrt(0.3) * own + np.sqrt(0.35) * (same + rng.normal(size=(prompts, 5, len(shares))))
    return (latent < stats.norm.ppf(shares)).mean(1)


@pytest.mark.parametrize("checkpoints", [10, 60])
@pytest.mark.parametrize("shape", SHAPES)
def test_times_of_drifts_are_right_on_average_and_their_sets_hold_the_truth(shape, checkpoints):
    rng, at, fine = np.random.default_rng(1), np.linspace(0, 1, checkpoints + 1), np.linspace(0, 1, 10001)
    truth = np.array([fine[np.argmax(SHAPES[shape](fine) >= level * SHAPES[shape](fine).max())] for level in (0.5, 0.9)])
    samples = [drawn(rng, 0.2 + 0.4 * SHAPES[shape](at), 50) for _ in range(60)]
    found = np.array([[crossing.on_grid(at) for crossing in of(sample)] for sample in samples])
    assert np.abs(np.median(found[:, :, 0], 0) - truth).max() < 0.05
    assert ((found[:, :, 1] <= truth) & (truth <= found[:, :, 2])).mean(0).min() > 0.88  # 60 draws of 95%: 93% or more of them
    assert (found[:, :, 2] - found[:, :, 1]).mean(0)[0] < 0.5
