"""Text that says nothing: a judge gives it a stance all the same, and with confidence, so it is flagged beside the stance."""

from collections import Counter

REPEATED_SHARE = 0.5  # of the words lie in repetitions of one 3-gram
LETTERS_SHARE = 0.5  # of the characters are letters or spaces


def degenerate(response: str) -> str | None:
    """Why a response is malformed: repeating its words (in languages that space them), or hardly any letters; None where it is
    not."""
    letters = sum(c.isalpha() or c.isspace() for c in response)
    if letters < LETTERS_SHARE * len(response):
        return "hardly any letters"
    words = response.lower().split()
    if len(words) >= 9:
        grams = Counter(zip(words, words[1:], words[2:], strict=False))
        if 3 * grams.most_common(1)[0][1] > REPEATED_SHARE * len(words):
            return "repeating"
    return None
