"""Any text in Markdown's pipe tables and in LaTeX that pdflatex sets with booktabs alone."""

import re
import unicodedata
from itertools import groupby

MARKDOWN_SPECIAL = r"\`*_{}[]<>#|~$"
UNSETTABLE = r"{\fboxsep=1pt\fbox{?}}"
"""Stands for characters that pdflatex has no glyphs for in its own fonts, such as Chinese ones and emoji."""
LONGEST_WORD = 24
"""Characters of a word from which LaTeX may break it anywhere: addresses, and what a broken model repeats."""
# A box is made first, since only its width tells whether it fits; graphicx is used where the document has loaded it.
LATEX_FIT = r"\ifdim\wd0>\linewidth \ifdefined\resizebox \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\else \usebox0\fi"
BREAK = "\u200b"  # zero-width space: what stands for a possible break in plain text too

_MATH = {"≤": r"\le", "≥": r"\ge", "≠": r"\neq", "≈": r"\approx", "→": r"\to", "←": r"\leftarrow", "⇒": r"\Rightarrow",
         "×": r"\times", "÷": r"\div", "±": r"\pm", "−": "-", "°": r"^\circ", "·": r"\cdot", "∞": r"\infty", "√": r"\surd",
         "η": r"\eta", "β": r"\beta", "γ": r"\gamma", "α": r"\alpha", "μ": r"\mu", "µ": r"\mu", "π": r"\pi"}  # fmt: skip
LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", **{c: f"\\{c}" for c in "&%$#_{}"},
    # In braces, since `\\` and \midrule take a following `[` or `*` for an argument of theirs, and ?` is a ligature.
    **{c: f"{{{c}}}" for c in "[]*`"},
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "„": "``", "«": "``", "»": "''", "…": r"\dots{}",
    "•": r"\textbullet{}", "\u2011": "-", "\u2010": "-", "⁄": "/", "¡": r"\textexclamdown{}",
    "¿": r"\textquestiondown{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "ß": r"\ss{}",
    "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}",
    "ı": r"\i{}", "đ": "d", "Đ": "D", BREAK: r"\allowbreak{}", **{c: f"${tex}$" for c, tex in _MATH.items()},
}  # fmt: skip
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u0308": '"',
           "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c"}  # fmt: skip
"""Combining character → LaTeX's accent."""


def pipe(cells: list[str]) -> str:
    """A row of a Markdown table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def markdown(text: str) -> str:
    """The text on one line of Markdown."""
    return "".join(f"\\{c}" if c in MARKDOWN_SPECIAL else c for c in " ".join(text.split()))


def markdown_lines(text: str) -> str:
    """The text in a cell of a pipe table, with its line breaks."""
    return "<br>".join(map(markdown, _lines(text)))


def markdown_table(lines: list[str], caption: str) -> str:
    """A table of rows; the caption is in pandoc's syntax."""
    return "\n".join([*([f"Table: {markdown(caption)}", ""] if caption else []), *lines]) + "\n"


def latex_table(tabular: list[str], caption: str, size: str, fit: bool = True, gap: str = "") -> str:
    """A table environment around the lines of a tabular, scaled to the line where it may `fit` and is wider."""
    boxed = any(UNSETTABLE in line for line in tabular)
    lines = [
        "% Needs booktabs; with graphicx, a table wider than the line is scaled to it.",
        *(["% A boxed question mark stands for what pdflatex's fonts lack; the CSV has the text."] if boxed else []),
        r"\begin{table}[t]",
        r"\centering",
        size,
        *([r"\setlength{\belowcaptionskip}{5pt}", rf"\caption{{{latex(caption)}}}"] if caption else []),
        *([rf"\setlength{{\tabcolsep}}{{{gap}}}"] if gap else []),
        *([r"\sbox0{%", *tabular[:-1], f"{tabular[-1]}}}%", LATEX_FIT] if fit else tabular),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex_row(cells: list[str], end: str = r"\\") -> str:
    """A row of a LaTeX table; the cells are LaTeX already."""
    return f"{' & '.join(cells)} {end}".strip()


def latex(text: str) -> str:
    """The text on one line of LaTeX. What pdflatex's own fonts lack becomes the nearest letters that there are, without rarer
    accents, or UNSETTABLE, once for a run of such characters."""
    text = re.sub(r'(^|[\s(\[{])"', r"\1“", unicodedata.normalize("NFC", " ".join(text.split()))).replace('"', "”")
    pieces = [piece for c in text if (piece := _piece(c)) != ""]
    return "".join(UNSETTABLE if piece is None else piece * len(list(same)) for piece, same in groupby(pieces))


def latex_lines(text: str) -> str:
    """The text in a cell of fixed width, with its line breaks; long words may be broken."""
    breakable = re.sub(rf"[!-~]{{{LONGEST_WORD},}}", lambda word: BREAK.join(word[0]), text)
    return r" \newline ".join(map(latex, _lines(breakable)))


def _lines(text: str) -> list[str]:
    return [stripped for line in text.splitlines() if (stripped := line.strip())]


def _piece(c: str) -> str | None:
    """A character in LaTeX; None where there is no way to set it."""
    if c in LATEX:
        return LATEX[c]
    if " " <= c <= "~":
        return c
    if unicodedata.category(c) in ("Cc", "Cf", "Mn"):  # controls, marks that have lost their letter
        return ""
    letter = unicodedata.normalize("NFD", c)
    base, marks = letter[0], letter[1:]
    if marks and base.isascii():
        return f"\\{ACCENTS[marks[0]]}{{{base}}}" if marks[0] in ACCENTS and len(marks) == 1 else base
    plain = unicodedata.normalize("NFKD", c)
    letters = [LATEX.get(k, k) for k in plain if not unicodedata.combining(k)]
    return "".join(letters) if plain != c and all(k.isascii() for k in letters) else None
