"""Escape any text for Markdown's pipe tables, and for LaTeX that pdflatex sets without further packages."""

import re
import unicodedata
from itertools import groupby

MARKDOWN_SPECIAL = r"\`*_{}[]<>#|~$"
UNSETTABLE = r"{\fboxsep=1pt\fbox{?}}"
"""Replaces characters that pdflatex's own fonts have no glyphs for, such as Chinese ones and emoji."""
LONGEST_WORD = 24
"""Characters of a word from which LaTeX may break it anywhere: web addresses, and what a degenerate model repeats."""
BREAK = "\u200b"  # zero-width space, which marks a possible line break in plain text too

_MATH = {"≤": r"\le", "≥": r"\ge", "≠": r"\neq", "≈": r"\approx", "→": r"\to", "←": r"\leftarrow", "⇒": r"\Rightarrow",
         "×": r"\times", "÷": r"\div", "±": r"\pm", "−": "-", "°": r"^\circ", "·": r"\cdot", "∞": r"\infty", "√": r"\surd",
         "η": r"\eta", "β": r"\beta", "γ": r"\gamma", "α": r"\alpha", "μ": r"\mu", "µ": r"\mu", "π": r"\pi"}  # fmt: skip
LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", **{c: f"\\{c}" for c in "&%$#_{}"},
    # In braces, since `\\` and \midrule take a following `[` or `*` as their argument, and ?` is a ligature.
    **{c: f"{{{c}}}" for c in "[]*`"},
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "„": "``", "«": "``", "»": "''", "…": r"\dots{}",
    "•": r"\textbullet{}", "\u2011": "-", "\u2010": "-", "⁄": "/", "¡": r"\textexclamdown{}",
    "¿": r"\textquestiondown{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "ß": r"\ss{}",
    "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}",
    "ı": r"\i{}", "đ": "d", "Đ": "D", BREAK: r"\allowbreak{}", **{c: f"${tex}$" for c, tex in _MATH.items()},
}  # fmt: skip
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u0308": '"',
           "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c"}  # fmt: skip
"""Combining character → LaTeX's accent command."""


def markdown(text: str) -> str:
    """Return the text as one line of Markdown."""
    return "".join(f"\\{c}" if c in MARKDOWN_SPECIAL else c for c in " ".join(text.split()))


def markdown_lines(text: str) -> str:
    """Return the text for a cell of a pipe table, with its line breaks as <br>."""
    return "<br>".join(map(markdown, _lines(text)))


def latex(text: str) -> str:
    """Return the text as one line of LaTeX.

    A character that pdflatex's own fonts lack becomes the nearest letters without rarer accents, or UNSETTABLE, once for a run of
    such characters.
    """
    text = re.sub(r'(^|[\s(\[{])"', r"\1“", unicodedata.normalize("NFC", " ".join(text.split()))).replace('"', "”")
    pieces = [piece for c in text if (piece := _piece(c)) != ""]
    return "".join(UNSETTABLE if piece is None else piece * len(list(same)) for piece, same in groupby(pieces))


def latex_lines(text: str) -> str:
    """Return the text for a LaTeX cell of fixed width, with its line breaks; words of LONGEST_WORD or more may be broken."""
    breakable = re.sub(rf"[!-~]{{{LONGEST_WORD},}}", lambda word: BREAK.join(word[0]), text)
    return r" \newline ".join(map(latex, _lines(breakable)))


def _lines(text: str) -> list[str]:
    return [stripped for line in text.splitlines() if (stripped := line.strip())]


def _piece(c: str) -> str | None:
    """Return a character in LaTeX; None if pdflatex cannot set it."""
    if c in LATEX:
        return LATEX[c]
    if " " <= c <= "~":
        return c
    if unicodedata.category(c) in ("Cc", "Cf", "Mn"):  # control characters, and accents without their letter
        return ""
    letter = unicodedata.normalize("NFD", c)
    base, marks = letter[0], letter[1:]
    if marks and base.isascii():
        return f"\\{ACCENTS[marks[0]]}{{{base}}}" if marks[0] in ACCENTS and len(marks) == 1 else base
    plain = unicodedata.normalize("NFKD", c)
    letters = [LATEX.get(k, k) for k in plain if not unicodedata.combining(k)]
    return "".join(letters) if plain != c and all(k.isascii() for k in letters) else None
