import shutil
import subprocess

import polars as pl
import pytest
from report_world import CATEGORIES, JUDGE, PO, SFT, drift_row, table_job
from table_world import job_of, pairs, write_tables

from valuedrift.config.base import STANCES
from valuedrift.config.tables import SampleRow, ScoreRow
from valuedrift.io.tables import CURATION, DRIFT, GENERATIONS, PROMPTS
from valuedrift.report import drift_table

NASTY = "[50% & a_b #1 ~x^2 {y} \\z <i> $5 | *q* ?` \"q\" 'r' – — “s” „t“ «u» … • ≤ × ± é ñ ö ą ł ß Ế ĳ ½ ﬁ １ 中文字 Ж 🙂👍🏽 e\u0301 \x07"
"""What TeX treats as its own, quotes, accents, and characters that its fonts lack."""
PROSE = f"{NASTY}\n\n*[starts like an argument] {'longword/' * 40} {'中' * 200}\n{NASTY * 5}"
DOCUMENT = (
    r"\documentclass{article}\usepackage{%s}\setlength{\textwidth}{5.5in}\setlength{\textheight}{9in}\setlength{\topmargin}{0in}"
    r"\begin{document}%s\end{document}"
)
"""A page of the paper's size."""

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")


def typeset(folder, tables, packages="booktabs,graphicx"):
    """The log of a document with these tables; fails where pdflatex stops."""
    body = "".join(rf"\input{{{path}}}\clearpage " for path in tables)
    (folder / "d.tex").write_text(DOCUMENT % (packages, body))
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "d.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def test_a_document_with_every_kind_of_table(tmp_path, world):
    files = write_tables(tmp_path, world)
    log = typeset(tmp_path, [paths["latex"] for paths in files.values()])
    assert "Overfull" not in log and "Float too large" not in log
    assert f"({len(files)} pages" in log


def test_every_kind_of_table_of_nasty_text(tmp_path, world):
    drift, curation, generations, prompts = (
        tmp_path / f"{name}.parquet" for name in ("drift", "curation", "generations", "prompts")
    )
    rows = [drift_row(run, NASTY, stance, -0.1, None) for run in PO for stance in STANCES]
    DRIFT.write(DRIFT.frame(rows), drift)
    CURATION.write(CURATION.frame([{"step": NASTY, "category": c, "prompts": 1} for c in (NASTY, "all")]), curation)
    PROMPTS.write(PROMPTS.read(world.prompts).with_columns(category=pl.lit(NASTY), question=pl.lit(PROSE)), prompts)
    said = pl.concat([GENERATIONS.read(path) for path in world.generations])
    GENERATIONS.write(said.with_columns(response=pl.lit(PROSE)), generations)
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
        "pairs": {"pairs": pairs(tmp_path / "odd.jsonl", [NASTY], PROSE)},
    }
    files = write_tables(tmp_path, world, jobs, given)
    assert "Overfull" not in typeset(tmp_path, [paths["latex"] for paths in files.values()])
    assert "boxed question mark" in files["samples"]["latex"].read_text()


@pytest.mark.parametrize("packages", ["booktabs", "booktabs,graphicx"])
def test_a_wide_drift_table_is_scaled_to_the_line_where_that_can_be_done(tmp_path, world, packages):
    drift = tmp_path / "drift.parquet"
    rows = [
        drift_row(f"{run}{seed}", c, s, 0.1 * seed - 0.05, 0.5, JUDGE)
        for run in PO
        for seed in (0, 1)
        for c in CATEGORIES
        for s in STANCES
    ]
    DRIFT.write(DRIFT.frame(rows), drift)
    job = table_job([("oppose", run.split("/")[-1], [f"{run}0", f"{run}1"]) for run in PO], CATEGORIES, ("magnitude", "time"))
    files = {name: tmp_path / f"t.{name}" for name in ("csv", "markdown", "latex")}
    drift_table.run(config=job, drift=[drift], **files)
    assert ("Overfull" in typeset(tmp_path, [files["latex"]], packages)) == ("graphicx" not in packages)
