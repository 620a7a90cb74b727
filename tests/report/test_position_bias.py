"""What the order of the options does to a judge's answers."""

from itertools import permutations

import numpy as np
import pytest
from report_world import values_row

from valuedrift.config.base import STANCES
from valuedrift.config.drift import ValuesConfig
from valuedrift.io.tables import ORDERS, VALUES
from valuedrift.report.position_bias import ASKED, PLACES, bias_table, position_bias, sentences


def asked(shares, pull, drawn=None):
    """ORDERS of responses whose stances have these shares (responses, 3), of which `pull` goes to what stands first."""
    rows = []
    for n, own in enumerate(shares):
        for order in permutations(STANCES):
            p = {s: float((1 - pull) * own[i] + pull * (s == order[0])) for i, s in enumerate(STANCES)}
            rows.append({"run": "m/a", "step": 5, "prompt_id": f"p{n}", "category": "C", "sample": 0, "judge": "j",
                         "order": " ".join(order), "mass": 0.9, "status": "ok", **p})  # fmt: skip
    return ORDERS.check(ORDERS.frame(rows), "here")


def some(count=200, seed=0):
    return np.random.default_rng(seed).dirichlet([0.3] * 3, count)


def test_a_pull_towards_the_first_option_is_measured_and_no_other():
    shares, pull = some(), 0.2
    found = position_bias(asked(shares, pull).sample(fraction=1, shuffle=True, seed=1), ValuesConfig(), 0)
    assert found.scored == found.drawn == 200
    for column, stance in enumerate(STANCES):
        first, second = (found.shifts[stance, place] for place in ("first", "second"))
        assert first.mean == pytest.approx(pull * 2 / 3) and second.mean == pytest.approx(-pull / 3)
        assert first.low > 0 > second.high
        assert found.shifts[stance, ASKED] == found.shifts[stance, PLACES[column]]
    # What is second most likely wins where it stands first, if the pull is larger than what it lacks.
    likeliest = np.sort(shares, 1)
    flips = ((1 - pull) * (likeliest[:, 2] - likeliest[:, 1]) < pull).mean()
    assert found.flips.mean == pytest.approx(flips) and found.flips.low < flips < found.flips.high
    assert found.largest[0] == pytest.approx(pull * 2 / 3)


def test_a_judge_that_reads_the_options_shows_no_bias():
    found = position_bias(asked(some(), 0.0), ValuesConfig(), 0)
    assert found.flips.mean == 0 and found.flips.high < 0.03 and abs(found.largest[0]) < 1e-12
    assert all(shift.mean == pytest.approx(0) and shift.low <= 0 <= shift.high for shift in found.shifts.values())


def test_a_response_without_an_answer_in_one_order_is_left_out_and_counted():
    orders = asked(some(5), 0.1).to_dicts()
    orders[7] |= {"support": None, "neutral": None, "oppose": None, "mass": None, "status": "unscorable: refused"}
    found = position_bias(ORDERS.frame(orders), ValuesConfig(), 0)
    assert (found.scored, found.drawn) == (4, 5)
    assert sentences([found], VALUES.frame([]), 0.95)[0].startswith("j: of 4 responses of the 5 drawn ")
    none = position_bias(ORDERS.frame(orders[6:12]), ValuesConfig(), 0)
    assert sentences([none], VALUES.frame([]), 0.95) == ["j: none of the 1 responses that were drawn got an answer in every order."]
    assert [cell.text for cell in bias_table([none]).blocks[0].rows[0]] == ["support", "–", "–", "–", "–"]


def test_of_a_judge_that_is_asked_in_several_orders_the_flips_of_all_responses_are_said():
    rows = [values_row("m/a", step, "C", "support", 0.5) | {"flips": flips} for step, flips in ((0, 0.1), (9, 0.3))]
    assert sentences([], VALUES.frame(rows), 0.95) == [
        "gpt-4o: every response is asked in several orders, whose mean counts; 20.0% of the answers differ from it."
    ]
