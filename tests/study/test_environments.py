"""Which conda env and which Python a job gets."""

import subprocess
from pathlib import Path

import pytest
import yaml

from valuedrift.config.load import load_study_config, merge
from valuedrift.study.environments import Environments
from valuedrift.study.study import Study

ROOT = Path(__file__).parents[2]
MINIATURE = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())
SERVICE = {"model": "theirs", "base_url": "http://127.0.0.1:9/v1", "max_tokens": 8}
VLLM = {"generation": {"engine": "vllm"}, "judges": {"mini-judge": {"backend": "vllm"}}}


def environments(changes, top=ROOT, deployed=False) -> Environments:
    return Environments(Study(load_study_config(merge(MINIATURE, changes))), top, deployed)


def test_sampling_and_judging_run_on_transformers_or_on_vllm():
    assert environments({}).sampling() == environments({}).judging("mini-judge") == "../../envs/generate.yaml"
    assert environments(VLLM).sampling() == environments(VLLM).judging("mini-judge") == "../../envs/vllm.yaml"
    assert environments(VLLM).judging("oracle") == "../../envs/generate.yaml"


def test_a_step_that_serves_its_chat_model_gets_vllms_env_and_one_that_asks_a_service_does_not():
    assert environments({}).chat_step("answers") == "../../envs/vllm.yaml"
    assert environments({}).chat_step("questions") == "../../envs/prompts.yaml"  # by rules
    chats = {
        "chats": {"theirs": SERVICE},
        "judges": {"api": {"backend": "openai", "chat": "theirs"}, "own": {"backend": "openai", "chat": "grammar"}},
    }
    curated = merge(chats, {"prompts": {"chat": "theirs", "filter": "llm"}})
    assert environments(curated).chat_step("value_laden") == "../../envs/prompts.yaml"
    assert environments(curated).judging("api") == "../../envs/generate.yaml"
    assert environments(curated).judging("own") == "../../envs/vllm.yaml"


def test_every_env_is_a_file():
    for name in {environments(change).sampling() for change in ({}, VLLM)} | {environments({}).chat_step("questions")}:
        assert (ROOT / "workflow" / "rules" / name).resolve().is_file()


@pytest.mark.parametrize(("deployed", "installed", "own"), [(False, True, True), (False, False, False), (True, True, False)])
def test_vllm_has_its_own_python_where_it_is_installed_and_snakemake_brings_no_software(tmp_path, deployed, installed, own):
    python = tmp_path / "with space" / ".venv-vllm" / "bin" / "python"
    if installed:
        python.parent.mkdir(parents=True)
        python.touch()
    found = environments(VLLM, tmp_path / "with space", deployed)
    expected = f"'{python}'" if own else "python"
    assert str(found.sampling_python()) == str(found.judging_python("mini-judge")) == expected
    assert str(found.judging_python("oracle")) == "python"


def shell(prefix: str, command: str) -> str:
    return subprocess.run(["bash", "-c", prefix + command], capture_output=True, text=True, check=True).stdout.strip()


def test_a_jobs_shell_has_the_package_and_no_network_and_survives_the_signal_before_the_time_limit(tmp_path):
    prefix = environments({}, tmp_path / "with space").shell_prefix()
    assert shell(prefix, 'echo "$PYTHONPATH"') == str(tmp_path / "with space" / "workflow" / "src")
    assert shell(prefix, "echo $HF_HUB_OFFLINE") == "1"
    assert shell(prefix, "kill -TERM $$; echo alive") == "alive"


def test_the_python_of_snakemake_comes_first_without_conda_and_is_left_out_with_it():
    assert "PATH=/" in environments({}).shell_prefix().replace("PYTHONPATH=/", "")
    assert "PATH=/" not in environments({}, deployed=True).shell_prefix().replace("PYTHONPATH=/", "")
