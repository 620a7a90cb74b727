"""config/paper.yaml as it is, with every rule and target run for real on tiny models and small datasets from a double of the hub."""

import re
import shutil
import subprocess

import polars as pl
import pytest
from world import PAPER, tiny_study, write_hub

from clone import Clone, copy_repository
from hub.double import Hub
from warm_python import warm_python

pytestmark = pytest.mark.paper
# Rules for what the paper does not have: tests/system/workflow and the miniature run them, human_* the tests of their room.
NOT_THE_PAPERS = {
    "kto",
    "orpo",
    "external",
    "pooled_values",
    "pooled_drift",
    "mixture",
    "noise",
    "judges_page",
    "quality_table",
    "human_sample",
    "human_check",
    "service_stances",
    "order_check",
    "service_order_check",
}


class Offline(Clone):
    """A clone whose hub is the double."""

    hub = ""

    @property
    def environment(self) -> dict[str, str]:
        home = {"HF_ENDPOINT": self.hub, "HF_HOME": str(self.folder / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": ""}
        return super().environment | home


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    write_hub(root)
    with Hub(root) as double:
        yield double


@pytest.fixture(scope="module")
def clone(hub, tmp_path_factory) -> Offline:
    clone = Offline(copy_repository(tmp_path_factory.mktemp("paper")).folder)
    clone.hub = hub.address
    return clone


@pytest.fixture(scope="module")
def study(clone):
    return tiny_study(clone.folder)


def test_a_gated_model_stops_the_study_before_anything_runs(clone, study, hub):
    gate = hub.root / "models" / PAPER["models"]["llama3-8b"]["path"] / ".gated"
    gate.touch()
    try:
        output = clone.run(study, check=False)
    finally:
        gate.unlink()
    assert "meta-llama/Llama-3.1-8B" in output and "hf auth login" in output
    assert "Traceback" not in output and "Finished jobid" not in output
    assert not list((clone.folder / "results").rglob("*.parquet"))


def test_without_a_hub_it_says_where_to_download(clone, study):
    address, clone.hub = clone.hub, "http://127.0.0.1:9"
    try:
        output = clone.run(study, check=False)
    finally:
        clone.hub = address
    assert "the hub cannot be reached" in output and "downloads" in output and "Finished jobid" not in output


@pytest.fixture(scope="module")
def finished(clone, study, hub) -> tuple[Offline, str]:
    downloads = clone.run(study, "downloads")
    assert "hub_model" in downloads
    asked = len(hub.requests)
    address, clone.hub = clone.hub, "http://127.0.0.1:9"  # from here on nothing needs a network
    cold = clone.python
    with warm_python(clone.environment) as clone.python:
        log = clone.run(study, "all", "paper")
    clone.hub, clone.python = address, cold
    assert len(hub.requests) == asked
    return clone, downloads + log


def rules(clone, study) -> set[str]:
    listed = clone.run(study, "--list-rules")
    return set(re.findall(r"^(\w+)$", listed, re.MULTILINE))


def test_every_rule_ran_and_every_target_is_there(finished, study):
    clone, log = finished
    ran = set(re.findall(r"^(?:local)?rule (\w+):", log, re.MULTILINE))
    targets = {*study["tables"], *study["figures"], "paper", "downloads"}
    assert rules(clone, study) - ran - targets == NOT_THE_PAPERS
    assert clone.planned(study) == {}
    assert "Nothing to be done" in clone.run(study, *sorted(targets), "--dry-run")


def test_every_table_and_figure_has_all_its_forms(finished, study):
    results = finished[0].folder / "results" / "paper"
    for name in study["tables"]:
        for form in ("csv", "md", "tex"):
            assert (results / "tables" / f"{name}.{form}").stat().st_size > 100, name
    for name in study["figures"]:
        assert (results / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (results / "figures" / f"{name}.pdf").read_bytes()[:4] == b"%PDF"


def test_the_scorecard_compares_every_printed_value_that_has_a_run(finished):
    cells = pl.read_csv(finished[0].folder / "results" / "paper" / "scorecard.csv", infer_schema_length=None)
    assert cells.height == 2286
    drift = cells.filter(pl.col("table") != 17)
    assert set(drift["status"]) <= {"compared", "not moved", "not measured"}
    assert (drift.filter(metric="magnitude")["status"] == "compared").mean() > 0.9
    scores = cells.filter(pl.col("table") == 17)
    assert scores.filter(pl.col("status") == "compared").height == 3 * 4
    assert set(scores["status"]) == {"compared", "not measured"}


def test_the_report_shows_the_datasets_counts_next_to_the_papers(finished):
    report = (finished[0].folder / "results" / "paper" / "report.html").read_text()
    assert "255751" in report.replace(",", "") and "60908" in report.replace(",", "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")
def test_all_tables_compile_in_one_document(finished, study, tmp_path):
    tables = finished[0].folder / "results" / "paper" / "tables"
    body = "\n".join(rf"\input{{{tables / name}.tex}}\clearpage" for name in study["tables"])
    packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{graphicx}"
    (tmp_path / "all.tex").write_text(rf"\documentclass{{article}}{packages}\begin{{document}}{body}\end{{document}}")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_config_as_it_is_plans_all_of_it(finished):
    planned = finished[0].planned(PAPER | {"study": "as-it-is"})
    assert [planned[rule] for rule in ("base", "sft", "ppo", "dpo", "simpo", "reward")] == [4, 8, 15, 15, 15, 12]
    assert planned["drift_table"] == 9 and planned["figure"] == 8 and planned["ablation"] == 3
