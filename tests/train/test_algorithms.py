"""Every row of ALGORITHMS works in the whole chain: no part of a new algorithm can be forgotten silently."""

import importlib
import inspect
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml
from training_jobs import job

from valuedrift.config.algorithms import ALGORITHMS, RUN_ALGORITHMS
from valuedrift.config.load import load_study_config
from valuedrift.config.train import TrainingJob
from valuedrift.sizing import Sizing
from valuedrift.study.jobs import Jobs
from valuedrift.study.lineage import Run
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
MINIATURE = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
SMK = (ROOT / "workflow" / "rules" / "train.smk").read_text()
RULES = dict(re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)(.*?)(?=^\S|\Z)", SMK, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_has_a_module_that_takes_its_keys(name):
    run = importlib.import_module(f"valuedrift.train.{name}").run
    assert inspect.signature(run, eval_str=True).parameters["config"].annotation == TrainingJob[ALGORITHMS[name].config]


def test_every_algorithm_is_a_command(monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(sys, "argv", ["train", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("valuedrift.train", run_name="__main__")
    help_text = capsys.readouterr().out
    assert [name for name in ALGORITHMS if not re.search(rf"^ +{name} ", help_text, re.MULTILINE)] == []


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_has_a_rule_that_runs_its_module_for_its_own_runs(name):
    rule = RULES[name]
    assert f'sources("train.{name}")' in rule
    assert f'ids("{name}")' in rule or not ALGORITHMS[name].is_run


@pytest.mark.parametrize("name", RUN_ALGORITHMS)
def test_a_run_of_an_algorithm_works_from_config_to_figure(name):
    row = ALGORITHMS[name]
    one = {"parent": "mini/alpaca", "data": "ultrafeedback"} if row.pairs else {"parent": "mini/base", "data": "wildchat"}
    config = MINIATURE | {"tables": {}, "figures": {}}
    config["runs"] = [{"parent": "mini/base", "algorithm": "sft", "data": "alpaca"}, {**one, "algorithm": name, "label": "x"}]
    study = Study(load_study_config(config))
    run = list(study.runs.values())[-1]
    assert run.algorithm == name and run.phase == ("po" if row.pairs else "sft")
    config["figures"] = {"one": {"caption": "", "category": "Climate Change Opinions", "panels": {"": run.id}}}
    jobs = Jobs(Study(load_study_config(config)))
    assert json.loads(jobs.figure("one"))["panels"][0]["phases"][-1]["label"] == row.label
    tracked = json.loads(jobs.training(run.id)[1])
    assert tracked["algorithm"] == name and tracked["training"]["learning_rate"] == config["training"].get(name, {}).get(
        "learning_rate", row.config.model_fields["learning_rate"].default
    )
    need = Sizing(study).need(name, {"run": run.id})
    assert need.memory_gib > 0 and need.seconds.value > 0
    assert list(study.rewards) == ([run.reward] if row.needs_reward else [])


def test_ipo_is_dpo_with_another_loss_and_a_name_of_its_own_and_plain_dpo_stays_as_it_was():
    plain, ipo = job("dpo", chosen="support"), job("dpo", chosen="support", loss="ipo")
    assert "loss" not in plain.model_dump_json() and '"loss": "ipo"' in ipo.identity
    assert type(ipo).model_validate_json(ipo.model_dump_json()) == ipo
    names = [Run("m/x", "m", "dpo", 0, training=one.training).method for one in (plain, ipo)]
    assert names == ["DPO", "IPO"]
