import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from valuedrift.stats.agreement import (
    MISSING,
    Bootstrap,
    accuracy,
    cohen_kappa,
    confusion,
    encode,
    krippendorff_alpha,
    majority,
    mean,
    share,
)

FEW = Bootstrap(resamples=300)


def raters(*rows):
    """Labels (items, raters) from one string a rater, with a dot where it gave none."""
    kinds = sorted(set("".join(rows)) - {"."})
    return np.stack([encode([None if c == "." else c for c in row], kinds) for row in rows], axis=1), len(kinds)


def from_table(table):
    """Two raters' labels with this confusion."""
    table = np.array(table)
    kinds = len(table)
    pairs = np.repeat([(i, j) for i in range(kinds) for j in range(kinds)], table.ravel(), axis=0)
    return pairs[:, 0], pairs[:, 1], kinds


# Krippendorff, K. (2011), Computing Krippendorff's Alpha-Reliability: the examples of parts A, B and C/D.
BINARY = raters("0100000010", "1110010000")
NOMINAL = raters("aabbdcccedda", "babbbccceddd")
FOUR_OBSERVERS = raters("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


@pytest.mark.parametrize(
    ("data", "ordinal", "printed"),
    [(BINARY, False, 0.095), (NOMINAL, False, 0.692), (FOUR_OBSERVERS, False, 0.743), (FOUR_OBSERVERS, True, 0.815)],
)
def test_alpha_is_that_of_krippendorffs_own_examples(data, ordinal, printed):
    labels, kinds = data
    found = krippendorff_alpha(labels, kinds, FEW, ordinal)
    assert found.value == pytest.approx(printed, abs=5e-4)
    assert found.low < found.value < found.high


def test_alpha_leaves_out_what_has_fewer_than_two_labels():
    labels, kinds = FOUR_OBSERVERS
    assert krippendorff_alpha(labels, kinds, FEW).items == 11  # unit 12 has one label
    more = np.vstack([labels, np.full((3, 4), MISSING)])
    assert krippendorff_alpha(more, kinds, FEW) == krippendorff_alpha(labels, kinds, FEW)


# Cohen (1968), Weighted kappa, Table 1: 200 diagnoses by two judges; observed 0.70, by chance 0.41. The 2 by 2 tables: Wikipedia,
# Cohen's kappa, simple example: 0.70 and 0.50; Gwet (2008), the paradox of 125 items: 0.944 and 14761 / 15625.
@pytest.mark.parametrize(
    ("table", "kappa"),
    [([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.29 / 0.59), ([[20, 5], [10, 15]], 0.4), ([[118, 5], [2, 0]], -0.0234)],
)
def test_kappa_is_that_of_published_tables(table, kappa):
    one, other, kinds = from_table(table)
    assert confusion(one, other, kinds).tolist() == table
    found = cohen_kappa(one, other, kinds, FEW)
    assert found.value == pytest.approx(kappa, abs=5e-5)
    assert found.items == np.sum(table)


# Newcombe (1998), Two-sided confidence intervals for the single proportion, Table I, method 3.
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_shares_interval_is_newcombes(hits, of, low, high):
    found = share(hits, of, 0.95)
    assert (found.value, found.items) == (hits / of, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_the_bootstrap_is_that_of_scikit_learns_kappa_on_resampled_items():
    rng = np.random.default_rng(1)
    one = rng.integers(3, size=80)
    other = np.where(rng.random(80) < 0.6, one, rng.integers(3, size=80))
    found = cohen_kappa(one, other, 3, Bootstrap(resamples=4000))
    assert found.value == pytest.approx(cohen_kappa_score(one, other))
    drawn = [cohen_kappa_score(one[items], other[items]) for items in rng.integers(80, size=(500, 80))]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)
    narrow = cohen_kappa(one, other, 3, Bootstrap(confidence=0.5))
    assert found.low < narrow.low < narrow.high < found.high


def test_the_bootstrap_of_a_mean_has_its_standard_error():
    numbers = np.random.default_rng(2).random(200)
    found = mean(numbers, Bootstrap(resamples=4000))
    assert found.value == pytest.approx(numbers.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * numbers.std() / np.sqrt(200), rel=0.05)


def test_the_same_seed_draws_the_same_interval():
    labels, kinds = NOMINAL
    assert krippendorff_alpha(labels, kinds, FEW) == krippendorff_alpha(labels, kinds, FEW)
    assert krippendorff_alpha(labels, kinds, FEW) != krippendorff_alpha(labels, kinds, Bootstrap(resamples=300, seed=1))


def test_what_cannot_be_had_is_none_with_a_reason():
    same, none = np.zeros(9, np.int64), np.full(9, MISSING)
    for found in (
        cohen_kappa(same, same, 3, FEW), cohen_kappa(same, none, 3, FEW), krippendorff_alpha(np.stack([same, none], 1), 3, FEW),
        krippendorff_alpha(np.stack([same, same], 1), 3, FEW, ordinal=True), accuracy(same, none, 0.95), mean(np.array([]), FEW),
    ):  # fmt: skip
        assert (found.value, found.low, found.high) == (None, None, None) and found.reason


def test_an_interval_that_the_resamples_cannot_tell_is_none_with_a_reason():
    perfect = np.arange(9) % 3
    found = cohen_kappa(perfect, perfect, 3, FEW)
    assert (found.value, found.low) == (1.0, None) and "no resample differs" in found.reason
    rare = np.array([0, 0, 0, 1])  # a resample in three is without the only 1, and has no kappa
    found = cohen_kappa(rare, rare[::-1].copy(), 2, FEW)
    assert found.value == pytest.approx(-1 / 3) and found.low is None and "undefined" in found.reason


def test_missing_labels_are_left_out_of_pairs():
    one, other = np.array([0, 1, MISSING, 2]), np.array([0, 2, 1, MISSING])
    assert confusion(one, other, 3).sum() == 2
    assert (accuracy(one, other, 0.95).value, accuracy(one, other, 0.95).items) == (0.5, 2)


def test_the_majority_of_labels_leaves_out_ties_and_counts_them():
    labels = np.array([[0, 0, 1], [0, 1, 2], [2, MISSING, MISSING], [1, 2, MISSING], [MISSING] * 3])
    most, ties = majority(labels, 3)
    assert most.tolist() == [0, MISSING, 2, MISSING, MISSING] and ties == 2
