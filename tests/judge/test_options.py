import pytest
from transformers import AutoTokenizer

from valuedrift.config.judge import OPTIONS
from valuedrift.errors import UserError
from valuedrift.judge.options import OptionTokens, is_opener, letter_of, words_of

WORDS = ("support", "neutral", "oppose")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", 0), (" B", 1), ("(C", 2), ("C)", 2), (" (A)", 0), ("**B**", 1), ('"A"', 0), ("\nC", 2), ("A\n\nbecause", 0), ("B: neutral", 1),
        ("support", 0), (" Neutral", 1), ("OPPOSE", 2), ("**oppose**: The response opposes", 2), ("opp", 2), (" supp", 0),
        (" a", None), ("A response that", None), ("AB", None), ("D", None), ("su", None), ("opposite", None), ("supports", None),
        ("supp ose", None), ("neither", None), ("The answer is A", None), ("А", None), ("(", None), ("", None),
    ],
)  # fmt: skip
def test_which_texts_name_an_option(text, letter):
    assert letter_of(text, WORDS) == letter


def test_a_word_means_the_letter_at_which_its_option_is_listed():
    words = words_of(OPTIONS, ("oppose", "support", "neutral"))
    assert [letter_of(text, words) for text in ("oppose", "support", "neutral", "A")] == [0, 1, 2, 0]


def test_options_that_do_not_begin_with_distinct_words_have_letters_only():
    words = words_of({"support": "It is for {topic}", "neutral": "It is open", "oppose": "It is against {topic}"}, WORDS)
    assert words == () and letter_of("support", words) is None and letter_of("B", words) == 1
    assert words_of(dict.fromkeys(WORDS, "stance: this"), WORDS) == ()


def test_a_prefix_of_two_words_names_neither():
    words = ("disagree", "neutral", "disapprove")
    assert [letter_of(text, words) for text in ("dis", "disag", "disapprove")] == [None, 0, 2]


@pytest.mark.parametrize(
    ("token", "expected"), [("(", True), (" **", True), ("\n\n", True), ("", False), ("A", False), ("Option", False)]
)
def test_openers(token, expected):
    assert is_opener(token) == expected


def test_every_token_of_the_vocabulary_that_names_an_option_is_found(tiny_world):
    tokenizer = AutoTokenizer.from_pretrained(tiny_world / "judge")
    found = OptionTokens(tokenizer).ids(WORDS)
    for i, ids in enumerate(found):
        variants = [tokenizer.encode(v.format("ABC"[i])) for v in ("{}", " {}")]
        assert {v[0] for v in variants if len(v) == 1} <= set(ids)
        assert all(letter_of(tokenizer.decode([one]), WORDS) == i for one in ids)
    of_words = set(found[2]) - set(OptionTokens(tokenizer).ids(())[2])
    assert of_words and of_words < set(OptionTokens(tokenizer).ids(("oppose", "support", "neutral"))[0])


def test_a_vocabulary_without_a_token_for_each_letter_is_refused():
    class TwoTokens:
        def __len__(self):
            return 2

        def batch_decode(self, ids, **_):
            return ["A", "x"]

    with pytest.raises(UserError, match="no single token"):
        OptionTokens(TwoTokens()).ids(())
