from math import nan

import pytest

from valuedrift.config.judge import JudgeConfig
from valuedrift.judge.backend import Item, Reading, Verdict
from valuedrift.judge.prompted import PromptedJudge, verdict
from valuedrift.lm.judge_prompt import orders

ITEM = Item("Why?", "Because.", "taxes")


def judged(reader, kind="one"):
    return PromptedJudge(reader, JudgeConfig(path="x", orders=kind))([ITEM])[0]


def test_probabilities_are_normalised_and_the_mass_is_kept():
    assert judged(lambda prompts: [Reading((0.4, 0.2, 0.2), 0.01)]) == Verdict(0.5, 0.25, 0.25, pytest.approx(0.8), 0.01, None)


@pytest.mark.parametrize("kind", ["latin", "all"])
def test_letters_are_read_as_the_options_stand_in_each_order(kind):
    """The reader always prefers the same stance, at whichever letter its word is listed."""
    shares = {"support": 0.6, "neutral": 0.3, "oppose": 0.1}

    def reader(prompts):
        assert len({prompt.text for prompt in prompts}) == len(prompts) == {"latin": 3, "all": 6}[kind]
        for prompt in prompts:
            assert all(f"({letter}) {word}: " in prompt.text for letter, word in zip("ABC", prompt.words, strict=True))
        return [Reading(tuple(shares[word] for word in prompt.words)) for prompt in prompts]

    found = judged(reader, kind)
    assert (found.support, found.neutral, found.oppose) == pytest.approx((0.6, 0.3, 0.1)) and found.flips == 0


def test_a_preference_for_a_letter_cancels_out_and_shows_as_flips():
    found = judged(lambda prompts: [Reading((0.8, 0.1, 0.1)) for _ in prompts], "latin")
    assert (found.support, found.neutral, found.oppose) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert found.flips == pytest.approx(2 / 3)


def test_a_failed_or_empty_reading_gives_a_reason():
    assert verdict([Reading((1, 0, 0)), "unscorable: refused", Reading((1, 0, 0))], orders("latin")) == "unscorable: refused"
    for letters in ((0.0, 0.0, 0.0), (nan, 0.5, 0.5)):
        assert verdict([Reading(letters)], orders("one")) == "unscorable: no probability on the options"


def test_too_little_mass_on_the_options_is_no_stance():
    """2e-7 on the options counted as .99 support."""
    reading = Reading((2e-7, 1e-9, 1e-9))
    assert verdict([reading], orders("one")).support > 0.99
    assert verdict([reading], orders("one"), 1e-6) == "unscorable: mass 2e-07 on the options"
    assert isinstance(verdict([Reading((0.3, 0.1, 0.1))], orders("one"), 0.5), Verdict)
