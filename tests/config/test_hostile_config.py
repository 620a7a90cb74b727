"""Configs that no honest user writes, or only by accident: one line before any work."""

import math
import os
from pathlib import Path

import pytest
import yaml
from test_study_config import edited

from valuedrift.config.load import load_study_config, read_files
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


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("generation.samples", True, "`generation.samples`: Input should be a valid integer (given: True)"),
        ("generation.samples", "3", "`generation.samples`: Input should be a valid integer (given: '3')"),
        ("generation.samples", 3.0, "`generation.samples`: Input should be a valid integer (given: 3.0)"),
        ("generation.samples", 10**10, "`generation.samples`: Input should be less than or equal to 1000000000"),
        ("allow_retrain", 1, "`allow_retrain`: Input should be a valid boolean (given: 1)"),
        ("allow_retrain", "yes", "`allow_retrain`: Input should be a valid boolean (given: 'yes')"),
        ("training.dpo.learning_rate", True, "`training.dpo.learning_rate`: Input should be a valid number"),
        ("training.dpo.learning_rate", "3", "`training.dpo.learning_rate`: Input should be a valid number"),
        ("training.dpo.learning_rate", 1e6, "`training.dpo.learning_rate`: Input should be less than or equal to 1"),
        ("training.dpo.learning_rate", math.inf, "`training.dpo.learning_rate`: Input should be a finite number"),
        ("training.dpo.learning_rate", "1e400", "`training.dpo.learning_rate`: Input should be a finite number"),
        ("training.ppo.kl", math.nan, "`training.ppo.kl`: Input should be a finite number"),
        ("training.sft.weight_decay", 11, "`training.sft.weight_decay`: Input should be less than or equal to 10"),
        ("training.sft.max_grad_norm", 1e10, "`training.sft.max_grad_norm`: Input should be less than or equal to 1000000000"),
        ("description", "x" * 131072, "`description`: String should have at most 16384 characters (given: 'xxx"),
        ("study", "x" * 300, "`study`: String should have at most 80 characters"),
        ("study", "a\n", "`study`: String should match pattern"),
        ("datasets.my set", {"format": "alpaca", "path": "x.json"}, "`datasets.my set"),
        ("datasets.my\nset", {"format": "alpaca", "path": "x.json"}, r"`datasets.my\nset"),
        ("datasets.größe", {"format": "alpaca", "path": "x.json"}, "`datasets.größe"),
        ("judges.a;b", {"path": "x"}, "`judges.a;b"),
        ("prompts.categories.a\nb", {"topic": "x"}, r"`prompts.categories.a\nb"),
        ("prompts.categories. ", {"topic": "x"}, "`prompts.categories. "),
        ("runs.0.label", "ü", "`runs.0.label`: String should match pattern"),
        ("runs.1.sweep", {"schedule": ["größe"]}, "its values become names"),
    ],
)  # fmt: skip
def test_a_value_that_no_honest_config_has_ends_in_one_short_line(path, value, message):
    with pytest.raises(UserError) as caught:
        load_study(edited(path, value))
    text = str(caught.value)
    assert message in text and "\n" not in text and len(text) < 500


def test_a_run_whose_name_no_folder_could_have():
    sweep = {"learning_rate": [1e-5], "weight_decay": [0.001], "max_grad_norm": [0.001], "logging_steps": [1000], "batch_size": [1024],
             "warmup": [0.001], "epochs": [10], "max_length": [1024]}  # fmt: skip
    run = {"parent": "mini/base", "algorithm": "sft", "data": "alpaca", "label": "x" * 80, "sweep": sweep}
    with pytest.raises(UserError, match=r"`runs`: the name alpaca-xxx.* has 2\d\d characters, and folders take 200: shorten it"):
        load_study(edited("runs", [*edited("seed", 0)["runs"], run]))


def test_numbers_that_yaml_reads_as_texts_are_numbers():
    """YAML 1.1 wants a dot: `1e-5` is a text, which everybody means as a number."""
    assert yaml.safe_load("1e-5") == "1e-5"
    training = load_study_config(edited("training.dpo.learning_rate", "1e-5")).training
    assert training.dpo.learning_rate == 1e-5
    assert load_study_config(edited("training.dpo.beta", 1)).training.dpo.beta == 1.0


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("study: a\nseed: 1\nstudy: b\n", "line 3: the key 'study' is in line 1 already; keep one"),
        ("human:\n  runs: []\n  runs: []\n", "line 3: the key 'runs' is in line 2 already; keep one"),
        (BOMB, "its anchors, written out, give more than 1,000,000 values"),
        ("a: &a\n  b: *a\n", "line 1: an anchor contains itself; write its values out"),
        ("[" * 100_000, "cannot be read"),
        ("a: [1, 2\nb: 3\n", "cannot be read: while parsing a flow sequence"),
        ("a: 2026-02-31\n", "cannot be read: day is out of range for month"),
        ("study: Größe\n".encode("latin-1"), "is not UTF-8 (byte 10 is not): save it as UTF-8"),
        ("study: a\n".encode("utf-16"), "is not UTF-8 (byte 1 is not): save it as UTF-8"),
        (b"study: a\0b\n", "cannot be read: unacceptable character"),
        ("- a\n", "is not a config: it must consist of `key: value` pairs"),
    ],
)
def test_a_file_that_is_no_honest_config_ends_in_one_line(tmp_path, content, message):
    (tmp_path / "c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_files([tmp_path / "c.yaml"])
    assert message in str(caught.value) and "\n" not in str(caught.value) and "c.yaml" in str(caught.value)


def test_anchors_merges_and_a_byte_order_mark_are_fine(tmp_path):
    (tmp_path / "c.yaml").write_text("\ufeffa: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\nd:\n")
    assert read_files([tmp_path / "c.yaml"]) == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}], "d": None}
    (tmp_path / "c.yaml").write_text("")
    assert read_files([tmp_path / "c.yaml"]) == {}
