import math

import pytest

from valuedrift.chat.malformed import MalformedAnswer
from valuedrift.chat.places import place_of


def test_a_place_keeps_all_that_is_possible_likeliest_first():
    pairs = [("B", -6.0), ("A", 4e-3), ("C", -math.inf), ("D", -9999.0), ("A", -7.5), ("E", -20000)]
    found = place_of("A", pairs)
    assert found.likeliest == [("A", 0.0), ("B", -6.0), ("A", -7.5), *((token, -9999.0) for token in "CDE")]


IMPOSSIBLE = {
    "above 0": [("A", 0.5)],
    "far above 0": [("A", 1000.0)],
    "NaN": [("A", math.nan)],
    "infinite": [("A", math.inf)],
    "a word": [("A", "-1")],
    "nothing": [("A", None)],
    "a truth": [("A", False)],
    "too large for a float": [("A", 10**400)],
    "more than 1": [("A", -0.5), ("B", -0.5), ("C", -2.0)],
    "no probability at all": [("A", -math.inf), ("B", -9999.0)],
    "none": [],
    "one token twice": [("A", -1.0), ("A", -1.0)],
    "a number as a token": [(65, -0.1)],
    "a book as a token": [("A" * 5000, -0.1)],
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_the_probabilities_of_tokens_is_refused(name):
    with pytest.raises(MalformedAnswer, match="returns "):
        place_of("A", IMPOSSIBLE[name])


def test_a_logprob_of_minus_ten_to_the_400_is_a_probability_of_0():
    assert place_of("A", [("A", -0.1), ("B", -(10**400))]).likeliest[1] == ("B", -9999.0)
