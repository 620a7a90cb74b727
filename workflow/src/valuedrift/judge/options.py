"""Which token or text means which option: the one rule for all judges that answer by letter.

An answer means an option by its letter ("A", " A", "(A", "**A)") or by the word that its text begins with ("support", "Neutral:"),
and that word stands at another letter in another order. So a reader takes `Prompt`s (backend.py), a text with its words.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from valuedrift.config.base import Stance
from valuedrift.errors import UserError
from valuedrift.lm.judge_prompt import LETTERS, Order

Words = tuple[str, ...]
"""The words that A, B and C stand for, or none where the options' texts begin with no distinct words."""

_MARKS = r"""\s()\[\]{}<>"'“”‘’«»„*_`#:.,;\-"""
_OPENER = re.compile(rf"[{_MARKS}]+")
# An "A" before another word is an article: after a letter or word comes the end, a mark or a new line.
_ANSWER = re.compile(rf"[{_MARKS}]*([^\W_]+)(?=$|[^\S\n]*(?:\n|$|[{_MARKS}](?<!\s)))")
SHORTEST = 3
"""Letters of the shortest token that means the option whose word it begins, as "opp" does where "oppose" is two tokens."""


def words_of(options: Mapping[Stance, str], order: Order) -> Words:
    """What stands before the colon of each option's text, in the order asked, where these are three distinct words."""
    words = tuple(options[stance].partition(":")[0].strip().lower() for stance in order)
    return words if len(set(words)) == len(words) and all(re.fullmatch(r"[^\W_]{3,}", word) for word in words) else ()


def letter_of(text: str, words: Words = ()) -> int | None:
    """0, 1 or 2 where a token, or a whole answer, says A, B or C or begins with that option's word; None where it says neither."""
    if (found := _ANSWER.match(text)) is None:
        return None
    if found[1] in LETTERS:
        return LETTERS.index(found[1])
    said = found[1].lower()
    begun = [i for i, word in enumerate(words) if word.startswith(said) and (word == said or found.end() == len(text))]
    return begun[0] if len(said) >= SHORTEST and len(begun) == 1 else None


def is_opener(token: str) -> bool:
    """Whether a token says nothing yet: white space, brackets, quotes and marks, such as "(" or "**"."""
    return _OPENER.fullmatch(token) is not None


class OptionTokens:
    """The tokens of a vocabulary that mean an option by themselves."""

    def __init__(self, tokenizer: Any) -> None:
        texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))], clean_up_tokenization_spaces=False)
        self.texts = {i: text for i, text in enumerate(texts) if _ANSWER.match(text)}
        self.openers = {i for i, text in enumerate(texts) if is_opener(text)}
        self.ids = cache(self._ids)

    def _ids(self, words: Words) -> tuple[list[int], ...]:
        """Three lists of token ids, for A, B and C; raises UserError where an option has none."""
        found: tuple[list[int], ...] = ([], [], [])
        for i, text in self.texts.items():
            if (letter := letter_of(text, words)) is not None:
                found[letter].append(i)
        if not all(found):
            raise UserError(
                "the judge's vocabulary has no single token for each of the options A, B and C: take another model as judge"
            )
        return found
