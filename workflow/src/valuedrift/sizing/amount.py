"""Numbers with how sure they are: counted, estimated, at most, or known in part only."""

from dataclasses import dataclass

MEASURED, ASSUMED, AT_MOST = "", "~", "≤"
"""Marks in the order of doubt; a sum or product has the most doubtful mark of its parts."""


@dataclass(frozen=True)
class Amount:
    """A number, how sure it is, and whether parts of it are unknown and therefore left out."""

    value: float
    mark: str = MEASURED
    partly: bool = False

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.value + other.value, *self._doubts(other))

    def __mul__(self, other: "Amount | float") -> "Amount":
        other = other if isinstance(other, Amount) else Amount(other)
        return Amount(self.value * other.value, *self._doubts(other))

    def __str__(self) -> str:
        return self.marked(f"{self.value:,.0f}")

    def marked(self, number: str) -> str:
        """Return the number, formatted by the caller, with its mark, and `+ ?` where a part is unknown."""
        if not self.partly:
            return self.mark + number
        return f"{self.mark}{number} + ?" if self.value else "?"

    def _doubts(self, other: "Amount") -> tuple[str, bool]:
        mark = max(self.mark, other.mark, key=(MEASURED, ASSUMED, AT_MOST).index)
        return mark, self.partly or other.partly


NOTHING, UNKNOWN = Amount(0), Amount(0, partly=True)
