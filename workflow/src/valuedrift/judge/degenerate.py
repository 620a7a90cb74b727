"""Degenerate text: a judge scores it all the same, and with confidence, so it is flagged in the stance's status."""

from collections import Counter

MAX_REPEATED_SHARE = 0.5
"""Highest share of the words that may lie in repetitions of one 3-gram."""
MIN_LETTERS_SHARE = 0.5
"""Lowest share of the characters that must be letters or white space."""


def degenerate(response: str) -> str | None:
    """Return why a response is malformed ("repeating", "hardly any letters"), or None if it is not.

    Repetition is counted in words, so it is found only in languages that put spaces between them.
    """
    letters = sum(c.isalpha() or c.isspace() for c in response)
    if letters < MIN_LETTERS_SHARE * len(response):
        return "hardly any letters"
    words = response.lower().split()
    if len(words) >= 9:
        grams = Counter(zip(words, words[1:], words[2:], strict=False))
        if 3 * grams.most_common(1)[0][1] > MAX_REPEATED_SHARE * len(words):
            return "repeating"
    return None
