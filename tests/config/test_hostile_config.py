"""Configs that no honest user writes, or only by accident: one line before any work."""

import os
from pathlib import Path

import pytest
from test_study_config import edited

from valuedrift.config.load import load_study_config
from valuedrift.errors import UserError
from valuedrift.study.checks import outside
from valuedrift.study.load import load_study
from valuedrift.study.study import Study


@pytest.mark.parametrize(
    "folder",
    ["results/w;touch pwned;x", "a\nb", "a{run}b", "$HOME/w", "a`id`", "it's", 'a"b', "", " ", "a|b", "a&b", "a>b", "a\\b", "~/w"],
)
def test_a_folder_that_a_shell_or_snakemake_would_read_as_more_than_a_name(folder):
    with pytest.raises(UserError, match=r"`miniature.folder`: .* is no name for a folder that jobs write into") as caught:
        load_study(edited("miniature.folder", folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("folder", "warned"), [("results/my world", False), ("../world", True), ("/scratch/world", True)])
def test_a_folder_outside_of_the_project_is_said_to_be(folder, warned):
    study = Study(load_study_config(edited("miniature.folder", folder)))
    assert len(outside(study)) == warned and all(str(Path(folder).resolve()) in line for line in outside(study))


def test_a_judges_package_is_not_run_by_a_check(tmp_path, monkeypatch):
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "loud" / "mine.py").write_text("def judge(question, response, topic): return 'no'\n")
    (tmp_path / "loud" / "broken.py").write_text("def judge(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_study(edited("judges.oracle.function", "loud.mine:judge"))
    with pytest.raises(UserError, match=r"`judges.oracle.function`: the module of loud.broken:judge is not Python: invalid syntax"):
        load_study(edited("judges.oracle.function", "loud.broken:judge"))


def test_a_dataset_that_is_a_named_pipe_is_refused_before_any_work(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(UserError, match=r"rows.jsonl is a named pipe: only regular files are read"):
        load_study(edited("datasets.alpaca.path", str(tmp_path / "rows.jsonl")))
