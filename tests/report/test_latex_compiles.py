import re
import shutil
import subprocess

import polars as pl
import pytest
from report_world import CATEGORIES, JUDGE, PO, SFT, drift_row, table_job
from table_world import STEPS, contrast, job_of, pairs, write_tables

from valuedrift.config.base import STANCES
from valuedrift.config.tables import SampleRow, ScoreRow
from valuedrift.io.tables import CURATION, DRIFT, GENERATIONS, PROMPTS
from valuedrift.report import drift_table

NASTY = "[50% & a_b #1 ~x^2 {y} \\z <i> $5 | *q* ?` \"q\" 'r' – — “s” „t“ «u» … • ≤ × ± é ñ ö ą ł ß Ế ĳ ½ ﬁ １ 中文字 Ж 🙂👍🏽 e\u0301 \x07"
"""What TeX treats as its own, quotes, accents, and characters that its fonts lack."""
PROSE = f"{NASTY}\n\n*[starts like an argument] {'longword/' * 40} {'中' * 200}\n{NASTY * 5}"
DOCUMENT = (
    r"\documentclass{article}\usepackage{booktabs,graphicx}\setlength{\textwidth}{5.5in}\setlength{\textheight}{9in}"
    r"\setlength{\topmargin}{0in}\begin{document}%s\end{document}"
)
"""A page of the paper's size."""

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")


def nasty_tables(folder, world):
    """Tables of every kind with text that LaTeX could stumble over."""
    drift, curation, generations, prompts = (folder / f"{name}.parquet" for name in ("drift", "curation", "generations", "prompts"))
    rows = [drift_row(run, NASTY, stance, -0.1, None) for run in PO for stance in STANCES]
    DRIFT.write(DRIFT.frame(rows), drift)
    CURATION.write(CURATION.frame([{"step": NASTY, "category": c, "prompts": 1} for c in (NASTY, "all")]), curation)
    PROMPTS.write(PROMPTS.read(world.prompts).with_columns(category=pl.lit(NASTY), question=pl.lit(PROSE)), prompts)
    responses = pl.concat([GENERATIONS.read(path) for path in world.generations])
    GENERATIONS.write(responses.with_columns(response=pl.lit(PROSE)), generations)
    named = {"caption": NASTY}
    row, run = {"headings": [NASTY, NASTY]}, next(iter(SFT))
    jobs = {
        "drift": table_job([("oppose", f"{NASTY} {run}", run) for run in PO], (NASTY,), ("magnitude", "time"), NASTY),
        "categories": job_of("categories", categories=[NASTY], **named),
        "topics": job_of("topics", topics=[(NASTY, NASTY)], **named),
        "value_texts": job_of("value_texts", texts=[(NASTY, PROSE, NASTY)], **named),
        "samples": job_of("samples", category=NASTY, rows=[SampleRow(**row, run=run)], longest=1200, **named),
        "pairs": job_of("pairs", categories=[NASTY], **named),
        "downstream": job_of("downstream", rows=[ScoreRow(**row, runs=[run])], **named),
    }
    given = {
        "drift": {"drift": [drift]},
        "categories": {"curation": curation},
        "samples": {"prompts": prompts, "generations": [generations]},
        "pairs": {"pairs": pairs(folder / "odd.jsonl", [NASTY], PROSE)},
        "contrast": {"contrast": contrast(folder / "odd.parquet", [NASTY], [NASTY])},
    }
    return write_tables(folder, world, jobs, given)


def wide_table(folder):
    """A drift table of six runs with intervals, verdicts and missing prompts, which is wider than the line."""
    found = {"magnitude_low": -0.25, "magnitude_high": 0.15, "prompts": 49, "p": 0.5, "q": 0.7}
    rows = [
        drift_row(run, c, s, -0.05, 0.5, JUDGE, **found, verdict=verdict)
        for run in PO for c in CATEGORIES for s, verdict in zip(STANCES, ("moved", "preserved", "undecided"), strict=True)
    ]  # fmt: skip
    DRIFT.write(DRIFT.frame(rows), folder / "wide.parquet")
    columns = [("oppose", run.split("/")[-1], run) for run in PO]
    job = table_job(columns, CATEGORIES, ("magnitude", "time"), interval="all", verdicts=True)
    files = {name: folder / f"wide.{name}" for name in ("csv", "markdown", "latex")}
    drift_table.run(config=job, drift=[folder / "wide.parquet"], **files)
    return files["latex"]


@pytest.fixture(scope="module")
def typeset(world, tmp_path_factory):
    """Name of the part → its part of the log, of one document with all tables; fails where pdflatex stops."""
    folder = tmp_path_factory.mktemp("latex")
    plain = write_tables(folder / "plain", world)
    (folder / "nasty").mkdir()
    nasty = nasty_tables(folder / "nasty", world)
    wide = wide_table(folder)
    parts = {
        "plain": [paths["latex"] for paths in plain.values()],
        "nasty": [paths["latex"] for paths in nasty.values()],
        "wide": [wide],
    }
    body = "".join(rf"\typeout{{PART}}{_input(paths)}" for paths in parts.values())
    body += rf"\typeout{{PART}}\let\resizebox\undefined{_input([wide])}\typeout{{PART}}"  # as without graphicx
    (folder / "d.tex").write_text(DOCUMENT % body)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "d.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    logs = done.stdout.split("\nPART\n")
    return dict(zip(["plain", "nasty", "wide", "wide without graphicx"], logs[1:-1], strict=True)), nasty


def _input(paths):
    return "".join(rf"\input{{{path}}}\clearpage " for path in paths)


def test_every_kind_of_table_fits_its_page(typeset):
    log = typeset[0]["plain"]
    assert "Overfull" not in log and "Float too large" not in log
    assert len(re.findall(r"\[\d+", log)) == len(STEPS)  # one page each


def test_every_kind_of_table_of_nasty_text_compiles(typeset):
    assert "Overfull" not in typeset[0]["nasty"]
    assert "boxed question mark" in typeset[1]["samples"]["latex"].read_text()


def test_a_wide_drift_table_is_scaled_to_the_line_if_graphicx_is_loaded(typeset):
    assert "Overfull" not in typeset[0]["wide"]
    assert "Overfull" in typeset[0]["wide without graphicx"]
