"""Print tables to a terminal."""

from collections.abc import Sequence

from tabulate import tabulate


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> list[str]:
    """Return the lines of a table: the first `texts` columns are text and stand left, the others are numbers and stand right."""
    align = ["left"] * texts + ["right"] * (len(headings) - texts)
    # As its first row, since tabulate widens the columns under headings.
    text = tabulate([headings, *rows], tablefmt="plain", disable_numparse=True, colalign=align)
    return [line.rstrip() for line in text.splitlines()]
