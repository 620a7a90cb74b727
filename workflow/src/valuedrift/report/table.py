"""The model of a printed table. table_formats.py prints it as Markdown and LaTeX, html_table.html.j2 as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

PROSE = 60
"""Characters of a cell from which it counts as prose."""
WIDE = 9
"""Columns of numbers beyond which a table is printed smaller."""


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a mark that is raised after it, and lines of small print, such as its interval."""

    text: str
    mark: str = ""
    small: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([f"{self.text}{self.mark}", *self.small])


@dataclass(frozen=True)
class Column:
    """A column. Build it with `text_column` or `number_column`."""

    headings: tuple[str, ...]
    """From the top level to the column's own, which may have a second line. Neighbours share equal headings above their own."""
    numeric: bool = False
    """Whether cells are aligned right."""
    share: float | None = None
    """Share of the line's width, for a column of prose; given for all columns of a table or for none."""


def text_column(*headings: str, share: float | None = None) -> Column:
    """Return a column of text."""
    return Column(headings, share=share)


def number_column(*headings: str) -> Column:
    """Return a column of numbers, aligned right."""
    return Column(headings, numeric=True)


@dataclass(frozen=True)
class Block:
    """Rows under a title over all columns; "" for no title."""

    title: str
    rows: Sequence[Sequence[Cell]]


def block(title: str, rows: Sequence[Sequence[str]]) -> Block:
    """Return a block of plain text cells."""
    return Block(title, [[Cell(text) for text in row] for row in rows])


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows. Where no column has a heading, the table is printed without a head."""

    columns: list[Column]
    blocks: list[Block]
    block_heading: str = ""
    """In Markdown, where blocks' titles are a column of their own, the heading of that column."""
    note: str = ""
    """Printed below the table."""

    @property
    def headed(self) -> bool:
        """Whether any column has a heading."""
        return any(any(column.headings) for column in self.columns)

    @property
    def prose(self) -> bool:
        """Whether columns have a fixed share of the line."""
        return self.columns[0].share is not None

    @property
    def long(self) -> bool:
        """Whether a cell is prose, whose column must not shrink to one word per line."""
        return any(len(cell.text) > PROSE for block in self.blocks for row in block.rows for cell in row)

    @property
    def wide(self) -> bool:
        """Whether there are more columns of numbers than a page holds at normal size."""
        return sum(column.numeric for column in self.columns) > WIDE

    @property
    def marked(self) -> bool:
        """Whether a cell has a mark, for which all numbers then have room, so that their digits stand below each other."""
        return any(cell.mark for block in self.blocks for row in block.rows for cell in row)

    @property
    def stacked(self) -> bool:
        """Whether a cell has several lines of small print."""
        return any(len(cell.small) > 1 for block in self.blocks for row in block.rows for cell in row)

    @property
    def characters(self) -> int:
        """Number of characters of all cells, small print not counted."""
        return sum(len(cell.text) for block in self.blocks for row in block.rows for cell in row)

    @property
    def empty(self) -> bool:
        """Whether there are no rows."""
        return not any(block.rows for block in self.blocks)

    @property
    def own_headings(self) -> list[str]:
        """Each column's own heading, the lowest level."""
        return [column.headings[-1] for column in self.columns]

    def spans(self) -> list[list[tuple[str, int]]]:
        """Return for each level above the columns' own headings: (heading, number of columns under it), without the first column.

        A column with fewer levels has "" above. Equal headings are one only below equal headings.
        """
        depth = max(len(column.headings) for column in self.columns)
        padded = [("",) * (depth - len(column.headings)) + column.headings for column in self.columns[1:]]
        levels = [[headings[:level] for headings in padded] for level in range(1, depth)]
        return [[(above[-1], len(list(same))) for above, same in groupby(level)] for level in levels]

    @property
    def opens(self) -> set[int]:
        """Indices of the columns that begin a group, the lowest level of `spans`; empty for a single level of headings."""
        found, column = set(), 1
        for _, width in self.spans()[-1] if self.spans() else []:
            found.add(column)
            column += width
        return found
