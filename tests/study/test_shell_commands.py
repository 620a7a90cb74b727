"""What rules put into a shell is quoted, so that no name or path of a config or of this folder is run."""

import re
from pathlib import Path

import pytest

RULES = sorted((Path(__file__).parents[2] / "workflow" / "rules").glob("*.smk"))
PLACEHOLDER = re.compile(r"(?<!\{)\{((?:input|output|log|params|wildcards|resources|threads|config)\b[^{}:\s]*)(:\w+)?\}(?!\})")
WORDS = {
    "params.launch": "several words, made of numbers and a quoted path: cluster/accelerate.py",
    "params.python": "`python`, or a path that study/environments.py quotes",
    "params.parent": "an option and its path, quoted by `options`",
    "params.given": "options and their paths, quoted by `options`",
    "params.command": "a command of our own: an algorithm's or a table's kind",
}
"""What is more than one word of the shell, or one of our own -> where it is quoted."""


def placeholders(text: str) -> list[tuple[str, str]]:
    """Return name and format of what Snakemake fills in; an f-string is filled in by Python, and goes through one of them."""
    plain = re.sub(r"""\bf"[^"\n]*\"""", '""', text)
    return [(name, kind) for name, kind in PLACEHOLDER.findall(plain)]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_value_in_a_shell_command_is_quoted(path):
    found = placeholders(path.read_text())
    assert [name for name, kind in found if kind != ":q" and name not in WORDS] == []
    assert not re.search(r"^\s+shell:\s+f?\"{3}|^\s+shell:\s+f\"", path.read_text(), re.MULTILINE)


def test_all_commands_are_seen():
    texts = [path.read_text() for path in RULES]
    found = [name for text in texts for name, _ in placeholders(text)]
    assert found.count("log") == sum(len(re.findall(r"^\s+shell:$", text, re.MULTILINE)) for text in texts)
    assert set(WORDS) <= set(found)
