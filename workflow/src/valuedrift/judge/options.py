"""The one rule, for all judges that answer with a letter, that says which token or text stands for which option.

An answer names an option by its letter ("A", " A", "(A", "**A)") or by the first word of the option's text ("support", "Neutral:").
In another order of the options the same word belongs to another letter, so a `Prompt` (backend.py) carries its words.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from valuedrift.config.base import Stance
from valuedrift.errors import UserError
from valuedrift.lm.judge_prompt import LETTERS, Order

OptionWords = tuple[str, ...]
"""The words that A, B and C stand for; empty if the options' texts do not begin with three distinct words."""

_MARKS = r"""\s()\[\]{}<>"'“”‘’«»„*_`#:.,;\-"""
_OPENER = re.compile(rf"[{_MARKS}]+")
# An "A" before another word is an article, so a letter or word must be followed by the end, a mark or a new line.
_ANSWER = re.compile(rf"[{_MARKS}]*([^\W_]+)(?=$|[^\S\n]*(?:\n|$|[{_MARKS}](?<!\s)))")
MIN_LETTERS = 3
"""Shortest prefix of an option's word, in letters, that stands for the option: "opp" does where "oppose" is two tokens."""


def words_of(options: Mapping[Stance, str], order: Order) -> OptionWords:
    """Return what stands before the colon of each option's text, in lower case and in the order asked.

    Empty if these are not distinct words of at least three letters.
    """
    words = tuple(options[stance].partition(":")[0].strip().lower() for stance in order)
    return words if len(set(words)) == len(words) and all(re.fullmatch(r"[^\W_]{3,}", word) for word in words) else ()


def letter_of(text: str, words: OptionWords = ()) -> int | None:
    """Return 0, 1 or 2 if a token or an answer says A, B or C or begins with that option's word; None if it names no option."""
    if (found := _ANSWER.match(text)) is None:
        return None
    if found[1] in LETTERS:
        return LETTERS.index(found[1])
    said = found[1].lower()
    begun = [i for i, word in enumerate(words) if word.startswith(said) and (word == said or found.end() == len(text))]
    return begun[0] if len(said) >= MIN_LETTERS and len(begun) == 1 else None


def is_opener(token: str) -> bool:
    """Return True if a token is only white space, brackets, quotes or marks, such as "(" or "**", which may precede an option."""
    return _OPENER.fullmatch(token) is not None


class OptionTokens:
    """The tokens of a vocabulary that name an option by themselves, and those that are openers."""

    def __init__(self, tokenizer: Any) -> None:
        texts = tokenizer.batch_decode([[i] for i in range(len(tokenizer))], clean_up_tokenization_spaces=False)
        self.texts = {i: text for i, text in enumerate(texts) if _ANSWER.match(text)}
        self.openers = {i for i, text in enumerate(texts) if is_opener(text)}
        self.ids = cache(self._ids)

    def _ids(self, words: OptionWords) -> tuple[list[int], ...]:
        """Return three lists of token ids, for A, B and C; raises UserError if an option has none."""
        found: tuple[list[int], ...] = ([], [], [])
        for i, text in self.texts.items():
            if (letter := letter_of(text, words)) is not None:
                found[letter].append(i)
        if not all(found):
            raise UserError(
                "the judge's vocabulary has no single token for one of the options A, B and C: choose another model as judge"
            )
        return found
