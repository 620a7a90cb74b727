import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parents[1] / "envs"
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")


def pins(*files):
    return {name.lower().replace("_", "-"): version for file in files for name, version in PIN.findall((ENVS / file).read_text())}


LOCK = pins("lock.txt", "minilm.txt")
# vLLM's installation is its own: numba, which it needs, wants an older numpy.
BESIDE = {"vllm.yaml": {"torch": LOCK["torch"]} | pins("vllm-gpu.txt")}
# What both installations import of the study decides results and must be of one version.
SHARED = ("transformers", "tokenizers", "safetensors", "huggingface-hub", "openai", "tenacity", "aiolimiter", "polars", "pydantic",
          "pyyaml", "jinja2")  # fmt: skip


@pytest.mark.parametrize("env", sorted(path.name for path in ENVS.glob("*.yaml")))
def test_conda_envs_pin_exactly_what_pip_installs(env):
    *conda, pip = yaml.safe_load((ENVS / env).read_text())["dependencies"]
    assert conda[0] == "python=3.11"
    for line in pip["pip"]:
        name, version = PIN.fullmatch(line).groups()
        assert BESIDE.get(env, LOCK)[name.lower().replace("_", "-")] == version


def test_every_rule_names_an_env_that_is_there():
    rules = (ENVS.parent / "workflow" / "rules").glob("*.smk")
    named = {name for path in rules for name in re.findall(r"envs/(\w+\.yaml)", path.read_text())}
    assert named == {path.name for path in ENVS.glob("*.yaml")}


@pytest.mark.parametrize("lock", ["vllm-cpu.txt", "vllm-gpu.txt"])
def test_vllms_installation_shares_versions_with_the_studys_and_leaves_out_what_breaks_it(lock):
    beside = pins(lock)
    assert {name: beside.get(name) for name in SHARED} == {name: LOCK[name] for name in SHARED}
    assert lock != "vllm-cpu.txt" or beside["pytest"] == LOCK["pytest"]  # its tests run there
    # Installed by name before, in the build that fits the machine; the other three break the import of transformers.
    assert not {"torch", "torchvision", "torchaudio", "torchcodec"} & beside.keys()
    assert all(PIN.fullmatch(line) for line in (ENVS / lock).read_text().split())


@pytest.mark.engines
def test_the_gpu_installation_resolves_as_it_is_locked(tmp_path):
    """Wheels for GPUs cannot run here, but whether their versions exist and agree can be asked."""
    report = tmp_path / "report.json"
    asked = ["vllm==0.32.0", f"torch=={LOCK['torch']}", "--constraint", str(ENVS / "vllm-gpu.txt")]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", str(report), *asked],
        check=True,
    )
    found = {
        item["metadata"]["name"].lower().replace("_", "-").replace(".", "-"): item["metadata"]["version"]
        for item in json.loads(report.read_text())["install"]
    }
    locked = pins("vllm-gpu.txt")
    assert found["vllm"] == "0.32.0" and found["torch"].split("+")[0] == LOCK["torch"]
    assert {name for name in found if locked.get(name, found[name]) != found[name]} == set()
