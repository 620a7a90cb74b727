"""Shared helpers of the rules for English: whitespace, sentences, names, and the forms of a question."""

import re
from collections import Counter
from collections.abc import Iterable

_GREETING = re.compile(
    r"(?:(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day))\b"
    r"(?: (?:there|again|all|everyone|ai|al|chat ?gpt|chat|bot|claude|model|my friend))?\b[\s,.!:;-]*)+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])(?<!\b\w\.)(?<!\b(?:vs|Mr|Ms|Dr|St)\.)(?<!\bMrs\.)(?<!\betc\.)[\"'”’)]*\s+(?=\S)")
_URL = re.compile(r"\S+://\S+")
_DIRECT_QUESTION = re.compile(
    r"(?:(?:what|whats|what's)\b(?! (?:an?|i|we)\b)|(?:why|how|who|whom|whose|who's|whos|how's)\b|which\b(?! is why\b)"
    r"|(?:when|where) (?:is|are|was|were|do|does|did|can|could|will|would|should|must|has|have|to)\b"
    r"|(?:is|are|was|were|does|did|can|could|would|should|has|isn't|aren't|doesn't|shouldn't|wouldn't|can't) (?!not\b|be\b)\w"
    r"|do (?!not\b|it\b|your\b|this\b|that\b|so\b|some\b|an?\b)\w"
    r"|(?:don't|have|will) (?:you|we|they|i|there|people|the|any|all)\b"
    r"|(?:am|may|shall) (?:i|we)\b)",
    re.IGNORECASE,
)
_FUNCTION_WORDS = frozenset(
    ["a", "an", "the", "all", "any", "each", "every", "no", "some", "most", "many", "few", "both", "our", "your", "their", "his",
     "her", "this", "that", "these", "those", "in", "on", "at", "with", "if", "when", "while", "as", "for", "to", "by", "from",
     "of", "there", "it", "we", "they", "he", "she", "you", "people", "everyone"]
)  # fmt: skip


def tidy(text: str) -> str:
    """Return the text with every run of whitespace as one space."""
    return " ".join(text.split())


def folded(text: str) -> str:
    """Return the text without case and extra whitespace; equal for texts that differ in nothing else."""
    return tidy(text).casefold()


def straight(text: str) -> str:
    """Return the text with straight apostrophes, as the patterns write them; its length does not change."""
    return text.replace("’", "'")


def without_greeting(text: str) -> str:
    """Return the text after its greeting, or the whole text if nothing follows."""
    found = _GREETING.match(text)
    return (found and text[found.end() :]) or text


def sentences(text: str) -> list[str]:
    """Return the text's sentences, cut after `.`, `!`, `?` and `…`, but not after initials as in "U.S."."""
    return [part for part in _SENTENCE_END.split(text) if part]


def has_question_mark(text: str) -> bool:
    """Return True if the text has a question mark outside of web addresses."""
    return "?" in _URL.sub("", text)


def is_direct_question(sentence: str, start: int = 0) -> bool:
    """Return True if the sentence, from `start` on, has the word order of a question, with or without a question mark."""
    return _DIRECT_QUESTION.match(straight(sentence), start) is not None


def proper_names(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that the texts mostly capitalise inside sentences; a fixed dictionary would lack this year's names."""
    capital: Counter[str] = Counter()
    for text in texts:
        for sentence in sentences(text):
            for word in re.findall(r"[^\W\d_]+", sentence)[1:]:
                capital[word.capitalize()] += 1 if word.istitle() else -1 if word.islower() else 0
    return frozenset(word for word, balance in capital.items() if balance > 0)


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def inside_sentence(clause: str, names: frozenset[str]) -> str:
    """Return a clause that began a sentence as it is written inside one: in lower case unless it begins with a name."""
    words = re.findall(r"[^\W\d_]+", clause)[:2]
    if not words or not clause.startswith(words[0]) or words[0] == "I":
        return clause
    first, *second = words
    full_name = bool(second) and second[0].istitle() and first.lower() not in _FUNCTION_WORDS
    acronym = len(first) > 1 and not first.istitle()
    return clause if first in names or acronym or full_name else clause[:1].lower() + clause[1:]
