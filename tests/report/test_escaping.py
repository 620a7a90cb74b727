import pytest

from valuedrift.report.escaping import UNSETTABLE, latex, latex_lines, markdown, markdown_lines


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("50% & a_b #1 $5 {x}", r"50\% \& a\_b \#1 \$5 \{x\}"),
        ("\\~^<>|", r"\textbackslash{}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"),
        ("[a] *b* ?`", "{[}a{]} {*}b{*} ?{`}"),
        ('He said "yes" ("no").', "He said ``yes'' (``no'')."),
        ("“a” ‘b’ – — …", r"``a'' `b' -- --- \dots{}"),
        ("é e\u0301 Ñ ç ř", r"\'{e} \'{e} \~{N} \c{c} \v{r}"),
        ("Wałęsa, ế", r"Wa\l{}esa, e"),  # no ogonek, no two accents in TeX's own fonts
        ("ﬁ ½ １", "fi 1/2 1"),
        ("0.7 ± 0.1 ≤ 1", r"0.7 $\pm$ 0.1 $\le$ 1"),
        ("中文 and 🙂👍🏽 end", f"{UNSETTABLE} and {UNSETTABLE} end"),
        ("a\x07b\u200dc\n d", "abc d"),
        ("", ""),
    ],
)
def test_latex_of_any_text(text, tex):
    assert latex(text) == tex


def test_lines_are_kept_where_a_cell_may_have_several():
    assert latex_lines("a\n\n  b\r\nc") == r"a \newline b \newline c"
    assert markdown_lines("a\n\n  b\r\nc|") == r"a<br>b<br>c\|"
    assert markdown("a\n b") == "a b"


def test_only_very_long_words_may_break_anywhere():
    assert r"\allowbreak" not in latex_lines("internationalisation and so on")
    assert latex_lines("x" * 24) == r"x\allowbreak{}" * 23 + "x"
