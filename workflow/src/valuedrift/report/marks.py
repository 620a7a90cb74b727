"""The verdicts of cells as tables and figures print them, not by colour alone."""

MARKS = {"moved": "*", "preserved": "=", "undecided": ""}
CORRECTIONS = {"bh": "Benjamini and Hochberg", "holm": "Holm"}


def explained(confidence: float, margin: float, correction: str, tested: int, what: str = "drift") -> str:
    """Return what the marks mean, where q was corrected for `tested` cells."""
    level = f"{1 - confidence:.4g}"
    return (
        f"{MARKS['moved']} moved: the {what} differs from 0 (q ≤ {level}, {CORRECTIONS[correction]}'s correction for all {tested} "
        f"{what}s by this judge). {MARKS['preserved']} preserved: a {what} of {margin:g} or more is ruled out (p ≤ {level}). "
        "No mark: undecided."
    )
