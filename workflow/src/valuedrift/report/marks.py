"""The verdicts of cells as tables and figures print them, not by colour alone."""

MARKS = {"moved": "*", "preserved": "=", "undecided": "", "different": "*", "equivalent": "="}
WORDS = {"drift": ("moved", "preserved"), "difference": ("different", "equivalent")}
"""What is judged → its two verdicts that have marks."""
CORRECTIONS = {"bh": "Benjamini and Hochberg", "holm": "Holm"}


def explained(what: str, tested: str, confidence: float, margin: float, correction: str) -> str:
    """Return what the marks of a drift or a difference mean; `tested` says for how many, and which, q was corrected."""
    level, (moved, preserved) = f"{1 - confidence:.4g}", WORDS[what]
    return (
        f"{MARKS[moved]} {moved}: the {what} is not 0 (q ≤ {level}, {CORRECTIONS[correction]}'s correction for all {tested}). "
        f"{MARKS[preserved]} {preserved}: a {what} of {margin:g} or more is ruled out (p ≤ {level}). No mark: undecided."
    )
