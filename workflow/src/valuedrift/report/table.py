"""One drift table as CSV, Markdown and LaTeX: Tables 1 and 9-16 of the paper, and any like them."""

from pathlib import Path

import polars as pl

from valuedrift.config.report import TableJob
from valuedrift.io.tables import DRIFT, replacing
from valuedrift.report.escaping import latex, latex_row, latex_table, markdown, markdown_table, pipe
from valuedrift.report.layout import Layout, Row, decimal, pivot, to_frame

WIDE = 9
"""Columns beyond which LaTeX sets the table smaller."""


def run(*, config: TableJob, drift: list[Path], csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: the CSV at full precision with one header row, Markdown and LaTeX with two decimals."""
    layout = pivot(pl.concat([DRIFT.frame([]), *(DRIFT.read(path) for path in drift)]), config)
    with replacing(csv) as scratch:
        to_frame(layout).write_csv(scratch)
    with replacing(markdown) as scratch:
        scratch.write_text(to_markdown(layout, config.caption), encoding="utf-8")
    with replacing(latex) as scratch:
        scratch.write_text(to_latex(layout, config.caption), encoding="utf-8")


def to_markdown(layout: Layout, caption: str) -> str:
    """A pipe table; Markdown has one header row, so heading levels are joined by spaces. The caption is in pandoc's syntax."""
    names = [" ".join(heading for heading in column if heading) for column in layout.headings]
    lines = [pipe(["Metric", "Category", *map(markdown, names)]), pipe([":---", ":---", *["---:"] * len(names)])]
    for block in layout.blocks:
        for number, row in enumerate(block.rows):
            title = "" if number else markdown(block.title)
            lines.append(pipe([title, markdown(row.category), *map(str, row.cells)]))
    return markdown_table(lines, caption)


def to_latex(layout: Layout, caption: str) -> str:
    """A table environment that needs booktabs; it is scaled to the line where it is wider and graphicx is loaded."""
    columns = len(layout.headings)
    widths = [width for _, width in layout.spans()[-2]] if layout.depth > 1 else [columns]
    tabular = [
        rf"\begin{{tabular}}{{@{{}}l {' '.join('r' * width for width in widths)}@{{}}}}",
        r"\toprule",
        *_latex_head(layout),
        *(line for block in layout.blocks for line in _latex_block(block.title, block.rows, columns)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return latex_table(tabular, caption, r"\scriptsize" if columns > WIDE else r"\small", gap="4pt")


def _latex_head(layout: Layout) -> list[str]:
    """Heading levels over \\cmidrule, then the stances; blank headings get no rule."""
    lines = []
    *levels, stances = layout.spans()
    for level in levels:
        cells, rules, column = [""], [], 2
        for heading, width in level:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(heading)}}}")
            rules += [rf"\cmidrule(lr){{{column}-{column + width - 1}}}"] if heading else []
            column += width
        lines += [latex_row(cells), *([" ".join(rules)] if rules else [])]
    return [*lines, latex_row(["Category", *(stance for stance, _ in stances)])]


def _latex_block(title: str, rows: list[Row], columns: int) -> list[str]:
    head = [r"\midrule", rf"\multicolumn{{{columns + 1}}}{{@{{}}l}}{{\emph{{{latex(title)}}}}} \\"]
    return head + [line for row in rows for line in _latex_rows(row, columns > WIDE)]


def _latex_rows(row: Row, below: bool) -> list[str]:
    """The means with their spreads, smaller, beside them, or `below` them where the table is wide as it is."""
    means = [_latex_number(decimal(cell.mean)) for cell in row.cells]
    spreads = ["" if cell.sd is None else rf"{{\tiny$\pm${decimal(cell.sd)}}}" for cell in row.cells]
    if below and any(spreads):
        return [latex_row([latex(row.category), *means], r"\\[-3pt]"), latex_row(["", *spreads])]
    return [latex_row([latex(row.category), *(f"{mean} {spread}".strip() for mean, spread in zip(means, spreads, strict=True))])]


def _latex_number(text: str) -> str:
    return f"${text}$" if text.startswith("-") else latex(text)
