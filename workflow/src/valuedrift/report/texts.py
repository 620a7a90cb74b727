"""Tables of text: one CSV that holds the data, and its layout in Markdown, LaTeX and the report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from valuedrift.errors import UserError
from valuedrift.io.tables import replacing
from valuedrift.report.escaping import latex, latex_lines, latex_row, latex_table, markdown, markdown_lines, markdown_table, pipe

Rows = list[dict[str, str]]
"""The rows of a CSV as text; an empty text where there is nothing."""
LONG = 2500
"""Characters of a table from which it is set in LaTeX's \\scriptsize."""


@dataclass(frozen=True)
class Column:
    """A column. `heading` may have a second line; `share` is the share of the line that prose takes, and all columns have it or
    none; numbers are aligned right."""

    heading: str
    share: float | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Block:
    """Rows under a title that stands over all columns, or under none."""

    title: str
    rows: list[list[str]]


@dataclass(frozen=True)
class TextTable:
    """A table of text. Where no column has a heading it has no head."""

    columns: list[Column]
    blocks: list[Block]

    @property
    def headed(self) -> bool:
        return any(column.heading for column in self.columns)

    @property
    def prose(self) -> bool:
        return self.columns[0].share is not None

    @property
    def characters(self) -> int:
        return sum(len(cell) for block in self.blocks for row in block.rows for cell in row)


def write(frame: pl.DataFrame, layout: Callable[[Rows], TextTable], caption: str, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the data as CSV, and the table that `layout` makes of it as Markdown and LaTeX."""
    with replacing(csv) as scratch:
        frame.write_csv(scratch)
    table = read(csv, layout)
    with replacing(markdown) as scratch:
        scratch.write_text(to_markdown(table, caption), encoding="utf-8")
    with replacing(latex) as scratch:
        scratch.write_text(to_latex(table, caption), encoding="utf-8")


def read(csv: Path, layout: Callable[[Rows], TextTable]) -> TextTable:
    """The table that a step wrote as CSV; raises UserError where the file is something else."""
    try:
        return layout(pl.read_csv(csv, infer_schema=False).fill_null("").rows(named=True))
    except (OSError, pl.exceptions.PolarsError, LookupError, ValueError) as error:
        raise UserError(f"{csv} is no table of its kind: {error}; delete it and run again") from error


def shorten(text: str, longest: int) -> str:
    """The text, cut after a word and ended by [...] where it is longer than `longest` characters."""
    text = text.strip()
    if len(text) <= longest:
        return text
    cut = text[:longest]
    whole = cut[-1].isspace() or text[longest].isspace()
    return f"{(cut if whole else cut.rsplit(maxsplit=1)[0]).rstrip()} [...]"


def to_markdown(table: TextTable, caption: str) -> str:
    """A pipe table; titles of blocks stand in a column of their own. The caption is in pandoc's syntax."""
    titled = any(block.title for block in table.blocks)
    head = [markdown_lines(column.heading) for column in table.columns]
    aligned = ["---:" if column.numeric else ":---" for column in table.columns]
    lines = [pipe([""] * titled + head), pipe([":---"] * titled + aligned)]
    for block in table.blocks:
        for number, row in enumerate(block.rows):
            title = [] if not titled else [""] if number else [markdown(block.title)]
            lines.append(pipe([*title, *map(markdown_lines, row)]))
    return markdown_table(lines, caption)


def to_latex(table: TextTable, caption: str) -> str:
    """A table environment that needs booktabs; prose is as wide as the line, other tables are scaled to it where graphicx is
    loaded."""
    tabular = [
        rf"\begin{{tabular}}{{@{{}}{_columns(table)}@{{}}}}",
        r"\toprule",
        *_head(table),
        *(line for number, block in enumerate(table.blocks) for line in _block(table, block, number)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return latex_table(tabular, caption, r"\scriptsize" if table.characters > LONG else r"\small", fit=not table.prose)


def _columns(table: TextTable) -> str:
    if not table.prose:
        return "".join("r" if column.numeric else "l" for column in table.columns)
    gaps = 2 * (len(table.columns) - 1) / len(table.columns)
    return "".join(rf"p{{\dimexpr {c.share:.3f}\linewidth-{gaps:.3f}\tabcolsep\relax}}" for c in table.columns)


def _head(table: TextTable) -> list[str]:
    """Headings, the second lines of those that have one below."""
    if not table.headed:
        return []
    lines = [column.heading.split("\n") for column in table.columns]
    levels = [[line[n] if n < len(line) else "" for line in lines] for n in range(max(map(len, lines)))]
    return [*(latex_row([latex(cell) for cell in level]) for level in levels), r"\midrule"]


def _block(table: TextTable, block: Block, number: int) -> list[str]:
    width = r"p{\linewidth}" if table.prose else "l"
    title = rf"\multicolumn{{{len(table.columns)}}}{{@{{}}{width}@{{}}}}{{\emph{{{latex(block.title)}}}}} \\"
    lines = [*([r"\midrule"] if number else []), *([title] if block.title else [])]
    for place, row in enumerate(block.rows):
        if table.prose and place:
            lines.append(r"\addlinespace")
        # \raggedright takes \\ for a line break within the cell, so rows of prose end in what \\ was; without the empty space
        # the first word of a cell could not be hyphenated.
        cells = [rf"\raggedright\hspace{{0pt}}{latex_lines(cell)}" for cell in row] if table.prose else list(map(latex, row))
        lines.append(latex_row(cells, r"\tabularnewline") if table.prose else latex_row(cells))
    return lines
