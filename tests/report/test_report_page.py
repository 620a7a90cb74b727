import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import permutations
from pathlib import Path

import polars as pl
import pytest
from report_world import BASE, CATEGORIES, PO, SFT, STEPS, drift_row, figure_job, panel, table_job
from table_world import write_tables

from valuedrift.config.base import STANCES
from valuedrift.config.report import AppendixConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import DRIFT, GENERATIONS, ORDERS, PROMPTS
from valuedrift.report import drift_table, figure
from valuedrift.report import page as report_page
from valuedrift.report.drift_table import pivot
from valuedrift.report.provenance import read_manifests

VOID = {"meta", "img", "br", "hr", "link", "input", "wbr"}
EVIL = "<script>alert('x')</script> & \"quotes\""


class Page(HTMLParser):
    """Checks that tags balance and collects the attributes, the text and the rows of tables."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.rows, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]} at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def full(world, tmp_path_factory):
    """A report with everything in it: its job, its inputs and where they lie."""
    folder = tmp_path_factory.mktemp("full")
    jobs = {
        "table_9": table_job([("WildChat", "llama/wildchat"), ("Alpaca", "llama/alpaca")], CATEGORIES, ("magnitude", "time")),
        "table_13": table_job([("support", run.split("/")[-1], run) for run in list(PO)[:3]], CATEGORIES[:2]),
    }
    for name, job in jobs.items():
        paths = {kind: folder / f"{name}.{kind}" for kind in ("csv", "markdown", "latex")}
        drift_table.run(config=job, drift=[world.drift], **paths)
    figure.run(config=figure_job(panel(next(iter(PO)))), values=world.values, pdf=folder / "f.pdf", png=folder / "f.png")
    (folder / "app.csv").write_text("run,loss\nx,0.123456\ny,\n")
    config = world.report(
        tables=[(name, "drift", f"Caption of {name}.") for name in jobs],
        figures=[("f", "Caption of the figure.")],
        appendices=[AppendixConfig(title="Ablation of beta", table="app.csv", text="What beta does.")],
    )
    inputs = world.inputs(
        tables=[folder / f"{name}.csv" for name in jobs], figures=[folder / "f.png"], appendices=[folder / "app.csv"]
    )
    report_page.run(config=config, **inputs, output=folder / "report.html")
    return config, inputs, folder


@pytest.fixture(scope="module")
def page(full):
    return Page((full[2] / "report.html").read_text(encoding="utf-8"))


def test_the_page_is_whole(page):
    assert page.tags[0] == "html"
    assert [tag for tag in page.tags if tag == "h2"] == ["h2"] * 9
    for words in ("A study of values", "Eleven categories, nine runs.", "Caption of table_9.", "Caption of the figure.",
                  "Ablation of beta", "What beta does.", "value", "drift magnitude", "drift time", "study: study"):  # fmt: skip
        assert words in page.text


def test_contents_lead_to_every_section(page):
    ids = [value for _, name, value in page.attributes if name == "id"]
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert len(ids) == len(set(ids))
    assert sorted(link.removeprefix("#") for link in links) == sorted(ids)
    assert {"table-1", "table-2", "figure-1", "appendix-1", "samples", "provenance"} <= set(ids)


def test_nothing_is_fetched_and_nothing_runs(page, full):
    sources = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert sources and all(value.startswith(("#", "data:image/png;base64,")) for value in sources)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?:", (full[2] / "report.html").read_text().split("</style>")[0])


def test_the_runs_table_shows_both_ends(page, world):
    values = world.values_frame()
    run = list(PO)[1]
    row = next(row for row in page.rows if row[0] == run)

    def mean(step, stance):
        rows = values.filter((pl.col("run") == run) & (pl.col("step") == step) & (pl.col("stance") == stance))
        return f"{rows['mean'].mean():.2f}"

    assert row == [
        run,
        "888",
        "10",
        *(mean(0, s) for s in STANCES),
        *(mean(888, s) for s in STANCES),
        "2.0%",
        "1.0%",
        "0.4%",
        "3.0%",
        "0.97",
    ]


def test_every_kind_of_table_is_shown(world, tmp_path):
    files = write_tables(tmp_path / "tables", world)
    config = world.report(tables=[(kind, kind, f"Caption of {kind}.") for kind in files])
    report_page.run(config=config, **world.inputs(tables=[paths["csv"] for paths in files.values()]), output=tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    for kind in files:
        assert f"Caption of {kind}." in page.text
    assert ["Race and Racism", "–", "–", "–", "120", "50"] in page.rows
    assert ["Race and Racism", "race and racism"] in page.rows
    assert ["Category", "Value (support)", "Value (oppose)"] in page.rows
    assert ["SFT with WildChat"] in page.rows
    assert any(row[0] == "Llama3 3B SFT" and row[1].startswith("[llama/alpaca 1097 0] Some hold") for row in page.rows)
    assert ["Model", *["score", "from base"] * 4] in page.rows and any("MMLU (acc) 5-shot" in row for row in page.rows)
    assert any(row[:2] == ["Llama3 3B SFT", "0.5200 ± 0.0035"] for row in page.rows)


def test_the_report_says_whether_intervals_hold_for_other_trainings(world, tmp_path):
    for pooled, said in (
        (False, "training’s own variance is unknown: intervals and verdicts hold for other prompts"),
        (True, "-seeds"),
    ):
        report_page.run(config=world.report(pooled=pooled), **world.inputs(), output=tmp_path / "r.html")
        assert said in " ".join(Page((tmp_path / "r.html").read_text()).text.split())


def test_a_drift_table_shows_intervals_marks_and_their_meaning(world, tmp_path):
    found = {"magnitude_low": -0.2, "magnitude_high": 0.1, "p": 0.01, "q": 0.04, "verdict": "moved", "prompts": 30}
    drift = DRIFT.frame([drift_row("llama/alpaca", "Race and Racism", stance, -0.05, 0.5, **found) for stance in STANCES])
    DRIFT.write(drift, tmp_path / "d.parquet")
    job = table_job([("Alpaca", "llama/alpaca")], interval="html", verdicts=True)
    drift_table.run(config=job, drift=[tmp_path / "d.parquet"], **{k: tmp_path / f"t.{k}" for k in ("csv", "markdown", "latex")})
    config = world.report(tables=[("t", "drift", "")])
    report_page.run(config=config, **world.inputs(tables=[tmp_path / "t.csv"]), output=tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text())
    assert ["Race and Racism", *["-0.05*[-.20, .10](30 of 50)"] * 3] in [
        [c.replace(" [", "[").replace(" (", "(") for c in row] for row in page.rows
    ]
    assert "for all 3 drifts by this judge" in page.text


def test_a_file_that_is_not_a_table_of_its_kind_is_the_users_error(world, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is not a table of its kind"):
        report_page.run(
            config=world.report(tables=[("t", "topics", "")]),
            **world.inputs(tables=[tmp_path / "t.csv"]),
            output=tmp_path / "r.html",
        )


def test_drift_tables_have_their_headings_and_two_decimals(page, world):
    assert ["", "WildChat", "Alpaca"] in page.rows
    assert ["", "support"] in page.rows and ["", *(run.split("/")[-1] for run in list(PO)[:3])] in page.rows
    assert ["Category", *STANCES * 2] in page.rows
    numbers = DRIFT.read(world.drift).filter((pl.col("category") == "Race and Racism") & pl.col("run").is_in(list(SFT)))
    for metric in ("magnitude", "time"):
        assert ["Race and Racism", *(f"{x:.2f}" for x in numbers[metric])] in page.rows
    spans = [value for tag, name, value in page.attributes if tag == "th" and name == "colspan"]
    assert {"3", "9", "7", "10"} <= set(spans)


def test_curation_and_provenance(page):
    assert ["alpaca", "100", "3", "–", "–", "97", "90", "81", "9"] in page.rows
    assert ["raw prompts", "8011"] in page.rows
    assert ["category", "value-laden", "drawn"] in page.rows
    assert ["Work and Attitudes", "120", "50"] in page.rows
    row = next(row for row in page.rows if row[:2] == ["llama/alpaca", "sft"])
    assert row[2:5] == ["llama/base", "0", "1097"]
    assert row[5].startswith("1097") and len(row[5]) == len(row[8]) == 12  # the last checkpoint's hash, not the first's
    assert [BASE, "base", "–", "0", "0", *row_of_base(page)] in page.rows
    assert ["torch 2.13.0+cpu, transformers 5.1.0, trl 0.29.0", ", ".join(STEPS)] in page.rows


def row_of_base(page):
    weights = next(row for row in page.rows if row[:2] == [BASE, "base"])[5]
    return [weights, "–", "–", "–"]


def test_the_appendix_is_rounded(page):
    at = page.rows.index(["run", "loss"])
    assert page.rows[at + 1 : at + 3] == [["x", "0.123"], ["y", "–"]]


def test_samples_are_of_the_first_and_last_checkpoint(page):
    text = page.text.split("Sample responses")[-1]
    run = "llama/wildchat/dpo-synthetic-oppose"
    assert text.count(f"[{run} 888 0]") == 2
    assert f"[{run} 500 0]" not in text and f"[{run} 888 1]" not in text
    assert text.count("[llama/wildchat 5500 0]") == 2 + 2 * len(PO)  # its own end, and where six runs began
    assert text.count("[llama/base 0 0]") == 2 + 2 * len(SFT)


def test_everything_is_escaped(world, tmp_path):
    prompts = pl.read_parquet(world.prompts).with_columns(category=pl.lit(EVIL), question=pl.lit(EVIL))
    PROMPTS.write(prompts, tmp_path / "prompts.parquet")
    responses = GENERATIONS.read(world.generations[1]).with_columns(response=pl.lit(EVIL))
    GENERATIONS.write(responses, tmp_path / "generations.parquet")
    manifest = json.loads(world.manifests[1].read_text()) | {"dataset": EVIL, "versions": {EVIL: EVIL}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    drift = DRIFT.frame([drift_row("llama/wildchat", EVIL, s, 0.1, 0.2) for s in STANCES])
    pivot(drift, table_job([(EVIL, "llama/wildchat")], (EVIL,))).write_csv(tmp_path / "t.csv")
    (tmp_path / "a.csv").write_text(f'"{EVIL.replace(chr(34), chr(34) * 2)}",n\n<b>,<i>\n')
    figure.run(config=figure_job(panel("llama/alpaca", EVIL)), values=world.values, pdf=tmp_path / "f.pdf", png=tmp_path / "f.png")
    config = world.report(
        title=EVIL, description=EVIL, categories=[EVIL], judge=EVIL, runs=["llama/wildchat"], tables=[("t", "drift", EVIL)],
        figures=[("f", EVIL)], appendices=[AppendixConfig(title=EVIL, table="a.csv", text=EVIL)], config=EVIL,
    )  # fmt: skip
    inputs = world.inputs(
        prompts=tmp_path / "prompts.parquet", generations=[tmp_path / "generations.parquet"],
        manifests=[tmp_path / "manifest.json"], tables=[tmp_path / "t.csv"],
        figures=[tmp_path / "f.png"], appendices=[tmp_path / "a.csv"],
    )  # fmt: skip
    report_page.run(config=config, **inputs, output=tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert not {"script", "b", "i"} & set(page.tags)
    # title (2), description, contents, judge, captions (2), table (2), appendix (3), samples (3 × 2), provenance (3), config
    assert page.text.replace(" </script>", "</script>").count("<script>alert('x')</script>") >= 18
    assert ("img", "alt", EVIL) in page.attributes


def test_equal_inputs_give_an_equal_report(full, tmp_path):
    config, inputs, folder = full
    lists = {name: paths for name, paths in inputs.items() if isinstance(paths, list)}
    command = [
        sys.executable,
        "-m",
        "valuedrift.report",
        "page",
        "--config",
        config.canonical(),
        "--output",
        str(tmp_path / "r.html"),
    ]
    for name, paths in inputs.items():
        command += [f"--{name}", *map(str, paths if name in lists else [paths])]
    source = str(Path(report_page.__file__).parents[2])
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": source})
    assert (tmp_path / "r.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_report_of_little_is_still_one(world, tmp_path):
    DRIFT.write(DRIFT.frame([]), tmp_path / "drift.parquet")
    inputs = world.inputs(drift=tmp_path / "drift.parquet", values=[], generations=[], manifests=[])
    report_page.run(config=world.report(title="", runs=[BASE]), **inputs, output=tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text())
    assert page.rows[2] == [BASE, *["–"] * 13]
    assert page.text.startswith("study study")  # the title and the heading, for want of a title
    assert "There are no responses." in page.text
    assert page.text.count("None recorded.") == 2


@pytest.mark.parametrize(("kind", "listed"), [("tables", ("x", "drift", "")), ("figures", ("x", ""))])
def test_a_missing_file_is_named(world, tmp_path, kind, listed):
    with pytest.raises(UserError, match=rf"`{kind}.x`; it was given .*other\.csv"):
        report_page.run(
            config=world.report(**{kind: [listed]}), **world.inputs(**{kind: [tmp_path / "other.csv"]}), output=tmp_path / "r"
        )
    assert not (tmp_path / "r").exists()


def test_an_image_that_is_not_a_png_and_a_missing_appendix_are_user_errors(world, tmp_path):
    (tmp_path / "x.png").write_text("not a PNG")
    with pytest.raises(UserError, match=r"x\.png is not a PNG"):
        report_page.run(
            config=world.report(figures=[("x", "")]), **world.inputs(figures=[tmp_path / "x.png"]), output=tmp_path / "r"
        )
    with pytest.raises(UserError, match="lists 1 appendices, but 0 files"):
        report_page.run(
            config=world.report(appendices=[AppendixConfig(title="a", table="a.csv")]), **world.inputs(), output=tmp_path / "r"
        )


@pytest.mark.parametrize("text", ["{}", "not JSON", '{"run": 3}'])
def test_a_broken_manifest_is_the_users_error(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is not a manifest"):
        read_manifests([tmp_path / "manifest.json"])


def test_the_order_of_the_options_has_a_section_of_its_own(world, tmp_path):
    row = {"run": BASE, "step": 0, "prompt_id": "p", "category": "C", "sample": 0, "judge": "j", "mass": 1.0, "status": "ok"}
    first = [row | {"order": " ".join(order), **{s: float(s == order[0]) for s in STANCES}} for order in permutations(STANCES)]
    ORDERS.write(ORDERS.frame(first), tmp_path / "orders.parquet")
    report_page.run(config=world.report(), **world.inputs(orders=[tmp_path / "orders.parquet"]), output=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "j: of 1 responses 100.0%" in text and 'href="#orders"' in text and "+0.67" in text
