import runpy
import sys
from pathlib import Path

import pytest

from valuedrift import cli

STAGES = sorted({path.parent.name for path in Path(cli.__file__).parent.glob("*/__main__.py")} - {"config"})


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help_that_names_its_steps(stage, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [stage, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module(f"valuedrift.{stage}", run_name="__main__")
    shown = capsys.readouterr().out
    steps = [path.stem for path in (Path(cli.__file__).parent / stage).glob("*.py") if "\ndef run(" in path.read_text()]
    assert stop.value.code == 0
    assert steps and all(f"  {step} " in shown or f"  {step}\n" in shown for step in steps)


def test_a_user_error_is_one_line_and_exit_status_1(tmp_path):
    config = '{"format": "alpaca", "path": "nowhere.json", "seed": 0}'
    arguments = ["sft", "--config", config, "--output", str(tmp_path / "a.parquet"), "--counts", str(tmp_path / "a.json")]
    with pytest.raises(SystemExit) as stop:
        cli.dispatch("valuedrift.data", {"sft": ""}, arguments)
    assert stop.value.code == "valuedrift.data sft: nowhere.json is missing"


def test_config_may_come_from_a_file_and_must_be_closed(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text('{"format": "alpaca", "path": "x.json", "seed": 0, "colour": 1}')
    with pytest.raises(SystemExit) as stop:
        cli.dispatch("valuedrift.data", {"sft": ""}, ["sft", "--config", f"@{path}", "--output", "a", "--counts", "b"])
    assert stop.value.code == 2
    assert "colour" in capsys.readouterr().err
