"""A table as Markdown and as LaTeX.

Not by `tabulate`: it has one row of headings, where the paper's tables have two or three with rules under them, and neither block
titles nor columns of prose; its Markdown pads every cell to the longest, which is hundreds of spaces in a table of responses.
"""

from valuedrift.report.escaping import UNSETTABLE, latex, latex_lines, markdown, markdown_lines
from valuedrift.report.table import Block, Cell, Table

LONG = 2500
"""Characters of a table from which it is set in LaTeX's \\scriptsize."""
# A box is made first, since only its width tells whether it fits; graphicx is used where the document has loaded it.
FIT = r"\ifdim\wd0>\linewidth \ifdefined\resizebox \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\else \usebox0\fi"


def to_markdown(table: Table, caption: str) -> str:
    """Return a pipe table with the caption in pandoc's syntax.

    Markdown has one row of headings, so the levels of a column are joined by spaces; titles of blocks are a column of their own.
    """
    titled = any(block.title for block in table.blocks)
    head = [markdown_lines(" ".join(heading for heading in column.headings if heading)) for column in table.columns]
    aligned = ["---:" if column.numeric else ":---" for column in table.columns]
    lines = [f"Table: {markdown(caption)}", ""] if caption else []
    lines += [_pipe([table.block_heading] * titled + head), _pipe([":---"] * titled + aligned)]
    for block in table.blocks:
        for number, row in enumerate(block.rows):
            title = [] if not titled else [""] if number else [markdown(block.title)]
            lines.append(_pipe([*title, *(markdown_lines(str(cell)) for cell in row)]))
    lines += ["", markdown(table.note)] if table.note else []
    return "\n".join(lines) + "\n"


def to_latex(table: Table, caption: str) -> str:
    """Return a table environment that needs booktabs.

    Columns of prose share the line's width; a wider table of another kind is scaled to the line where graphicx is loaded.
    """
    tabular = [
        rf"\begin{{tabular}}{{@{{}}{_columns(table)}@{{}}}}",
        r"\toprule",
        *_head(table),
        *(line for number, block in enumerate(table.blocks) for line in _block(table, block, number)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    boxed = any(UNSETTABLE in line for line in tabular)
    lines = [
        "% Needs booktabs; with graphicx, a table wider than the line is scaled to it.",
        *(["% A boxed question mark stands for what pdflatex's fonts lack; the CSV has the text."] if boxed else []),
        r"\begin{table}[t]",
        r"\centering",
        r"\scriptsize" if table.wide or table.characters > LONG else r"\small",
        *([r"\setlength{\belowcaptionskip}{5pt}", rf"\caption{{{latex(caption)}}}"] if caption else []),
        *([r"\setlength{\tabcolsep}{4pt}"] if table.spans() else []),
        *(tabular if table.prose else [r"\sbox0{%", *tabular[:-1], f"{tabular[-1]}}}%", FIT]),
        *([rf"\par\smallskip\parbox{{\linewidth}}{{\scriptsize {latex(table.note)}}}"] if table.note else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _pipe(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(cells: list[str], end: str = r"\\") -> str:
    return f"{' & '.join(cells)} {end}".strip()


def _columns(table: Table) -> str:
    """Return the tabular's column types, those of a group of columns apart from the next group's for a reader of the file."""
    if table.prose:
        gaps = 2 * (len(table.columns) - 1) / len(table.columns)
        return "".join(rf"p{{\dimexpr {c.share:.3f}\linewidth-{gaps:.3f}\tabcolsep\relax}}" for c in table.columns)
    kinds = ["r" if column.numeric else "l" for column in table.columns]
    return "".join(f" {kind}" if number in table.opens else kind for number, kind in enumerate(kinds))


def _head(table: Table) -> list[str]:
    """Return the levels of headings over a \\cmidrule each (none under ""), then the columns' own, in one row or several."""
    if not table.headed:
        return []
    lines = []
    for level in table.spans():
        cells, rules, column = [""], [], 2
        for heading, width in level:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(heading)}}}")
            rules += [rf"\cmidrule(lr){{{column}-{column + width - 1}}}"] if heading else []
            column += width
        lines += [_row(cells), *([" ".join(rules)] if rules else [])]
    own = [heading.split("\n") for heading in table.own_headings]
    rows = [[parts[n] if n < len(parts) else "" for parts in own] for n in range(max(map(len, own)))]
    return [*lines, *(_row([latex(cell) for cell in row]) for row in rows), r"\midrule"]


def _block(table: Table, block: Block, number: int) -> list[str]:
    lines = [r"\midrule"] if number else []
    if block.title:
        width = r"p{\linewidth}" if table.prose else "l"
        after = "" if table.spans() else "@{}"
        lines.append(rf"\multicolumn{{{len(table.columns)}}}{{@{{}}{width}{after}}}{{\emph{{{latex(block.title)}}}}} \\")
    for place, row in enumerate(block.rows):
        if table.prose:
            # \raggedright takes \\ for a line break within the cell, so rows of prose end in what \\ was; without the empty space
            # the first word of a cell could not be hyphenated.
            cells = [rf"\raggedright\hspace{{0pt}}{latex_lines(cell.text)}" for cell in row]
            lines += [*([r"\addlinespace"] if place else []), _row(cells, r"\tabularnewline")]
        else:
            lines += _numbers(table, list(row))
    return lines


def _numbers(table: Table, row: list[Cell]) -> list[str]:
    """Return a row with its small print after the numbers, or below them where the table is wide as it is or a cell has several
    lines of it."""
    cells = [_number(cell, table) if column.numeric else latex(cell.text) for cell, column in zip(row, table.columns, strict=True)]
    small = [[rf"{{\tiny {latex(text)}}}" for text in cell.small] for cell in row]
    lines = max(map(len, small))
    if not (table.wide or table.stacked):
        return [_row([" ".join([cell, *texts]) for cell, texts in zip(cells, small, strict=True)])]
    below = [_row([texts[n] if n < len(texts) else "" for texts in small], "") for n in range(lines)]
    return [f"{line} {end}" for line, end in zip([_row(cells, ""), *below], [r"\\[-3pt]"] * lines + [r"\\"], strict=True)]


def _number(cell: Cell, table: Table) -> str:
    mark = rf"\makebox[.5em][l]{{$^{{{cell.mark}}}$}}" if cell.mark else r"\hspace{.5em}" if table.marked else ""
    return (f"${cell.text}$" if cell.text.startswith("-") or "[" in cell.text else latex(cell.text)) + mark
