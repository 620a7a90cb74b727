"""One drift table as CSV, Markdown and LaTeX: Tables 1 and 9-16 of the paper, and any like them."""

from pathlib import Path

from valuedrift.config.report import TableJob
from valuedrift.frames import DRIFT, replacing
from valuedrift.report.layout import MISSING, Layout, Row, decimal, pivot, to_frame

MARKDOWN_SPECIAL = r"\`*_{}[]<>#|~$"
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", **{c: f"\\{c}" for c in "&%$#_{}"},
    # In braces, since `\\` and \midrule take a following `[` or `*` for an argument of theirs.
    **{c: f"{{{c}}}" for c in "[]*"},
    MISSING: "--", "\n": " ",
}  # fmt: skip
# A box is made first, since only its width tells whether it fits; graphicx is used where the document has loaded it.
LATEX_FIT = r"\ifdim\wd0>\linewidth \ifdefined\resizebox \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\else \usebox0\fi"


def run(*, config: TableJob, drift: Path, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the table: the CSV at full precision with one header row, Markdown and LaTeX with two decimals."""
    layout = pivot(DRIFT.read(drift), config)
    with replacing(csv) as scratch:
        to_frame(layout).write_csv(scratch)
    with replacing(markdown) as scratch:
        scratch.write_text(to_markdown(layout, config.caption), encoding="utf-8")
    with replacing(latex) as scratch:
        scratch.write_text(to_latex(layout, config.caption), encoding="utf-8")


def to_markdown(layout: Layout, caption: str) -> str:
    """A pipe table; Markdown has one header row, so heading levels are joined by spaces. The caption is in pandoc's syntax."""
    names = [" ".join(heading for heading in column if heading) for column in layout.headings]
    lines = [_pipe(["Metric", "Category", *map(_markdown, names)]), _pipe([":---", ":---", *["---:"] * len(names)])]
    for block in layout.blocks:
        for number, row in enumerate(block.rows):
            title = "" if number else _markdown(block.title)
            lines.append(_pipe([title, _markdown(row.category), *map(decimal, row.values)]))
    head = [f"Table: {_markdown(caption)}", ""] if caption else []
    return "\n".join([*head, *lines]) + "\n"


def to_latex(layout: Layout, caption: str) -> str:
    """A table environment that needs booktabs; it is scaled to the line where it is wider and graphicx is loaded."""
    columns = len(layout.headings)
    size = r"\small" if columns <= 9 else r"\scriptsize"
    widths = [width for _, width in layout.spans()[-2]] if layout.depth > 1 else [columns]
    lines = [
        "% Needs booktabs; with graphicx, a table wider than the line is scaled to it.",
        r"\begin{table}[t]",
        r"\centering",
        size,
        *([rf"\caption{{{_latex(caption)}}}"] if caption else []),
        r"\setlength{\tabcolsep}{4pt}",
        r"\sbox0{%",
        rf"\begin{{tabular}}{{@{{}}l {' '.join('r' * width for width in widths)}@{{}}}}",
        r"\toprule",
        *_latex_head(layout),
        *(line for block in layout.blocks for line in _latex_block(block.title, block.rows, columns)),
        r"\bottomrule",
        r"\end{tabular}}%",
        LATEX_FIT,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_head(layout: Layout) -> list[str]:
    """Heading levels over \\cmidrule, then the stances; blank headings get no rule."""
    lines = []
    *levels, stances = layout.spans()
    for level in levels:
        cells, rules, column = [""], [], 2
        for heading, width in level:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{_latex(heading)}}}")
            rules += [rf"\cmidrule(lr){{{column}-{column + width - 1}}}"] if heading else []
            column += width
        lines += [_latex_row(cells), *([" ".join(rules)] if rules else [])]
    return [*lines, _latex_row(["Category", *(stance for stance, _ in stances)])]


def _latex_block(title: str, rows: list[Row], columns: int) -> list[str]:
    head = [r"\midrule", rf"\multicolumn{{{columns + 1}}}{{@{{}}l}}{{\emph{{{_latex(title)}}}}} \\"]
    return head + [_latex_row([_latex(row.category), *map(_latex_number, row.values)]) for row in rows]


def _latex_row(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\".strip()


def _latex_number(value: float | None) -> str:
    text = decimal(value)
    return f"${text}$" if text.startswith("-") else _latex(text)


def _latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(c, c) for c in text)


def _pipe(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in MARKDOWN_SPECIAL else c for c in " ".join(text.split()))
