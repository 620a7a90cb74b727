"""Numbers as the report prints them."""

import math

MISSING = "–"


def decimal(value: float | None, places: int = 2) -> str:
    """Return the number with two decimals as in the paper, never "-0.00"; MISSING for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def interval(low: float | None, high: float | None, places: int = 2) -> str:
    """Return an interval in brackets, its numbers without a 0 before the point, as small print; "" where there is none."""
    if low is None or high is None:
        return ""
    ends = (decimal(end, places).replace("0.", ".", 1) if abs(end) < 1 else decimal(end, places) for end in (low, high))
    return f"[{', '.join(ends)}]"


def number(text: str) -> float | None:
    """Return the number of a CSV's cell; None where it is empty."""
    return float(text) if text else None


def percent(share: float | None) -> str:
    """Return a share (0 to 1) in percent with one decimal."""
    return MISSING if share is None else f"{decimal(100 * share, 1)}%"


def p_value(p: float | None) -> str:
    """Return a p-value in small print; "" where there is none."""
    if p is None:
        return ""
    return "p < .001" if p < 0.0005 else f"p = {decimal(p, 3).replace('0.', '.', 1)}"


def signed(value: float) -> str:
    """Return the number with two decimals and its sign, which 0.00 has not."""
    text = decimal(value)
    return f"+{text}" if float(text) > 0 else text
