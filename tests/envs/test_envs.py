import ast
import json
import re
import runpy
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from rattler import MatchSpec

ENVS = Path(__file__).parents[2] / "envs"
RULES = ENVS.parent / "workflow" / "rules"
SOURCES = ENVS.parent / "workflow" / "src"
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
ALL = sorted(path.name for path in ENVS.glob("*.yaml"))


def pins(*files):
    found = (pin for file in files for pin in PIN.findall((ENVS / file).read_text()))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


LOCK = pins("lock.txt", "minilm.txt")
DISTRIBUTIONS = packages_distributions()  # reads the metadata of every installed package
COMPLETE = runpy.run_path(str(ENVS / "complete.py"))
# vLLM's installation is its own: numba, which it needs, wants an older numpy.
SEPARATE = {"vllm.yaml": {"torch": LOCK["torch"]} | pins("vllm-gpu.txt")}
# What vLLM's lock leaves out.
UNLOCKED = {"torchvision": "0.28.0", "torchaudio": "2.11.0", "torchcodec": "0.17.0"}
# Imported only where installed, by users who want them: the engine vLLM, ZeRO-3.
OPTIONAL = {"vllm", "deepspeed"}
# What both installations import of the study decides results and must be of one version.
SHARED = ("transformers", "tokenizers", "safetensors", "huggingface-hub", "openai", "tenacity", "aiolimiter", "polars", "pydantic",
          "pyyaml", "jinja2")  # fmt: skip


def dependencies(env):
    """An env file's conda lines and its pip lines."""
    *conda, pip = yaml.safe_load((ENVS / env).read_text())["dependencies"]
    return conda, pip["pip"]


@pytest.mark.parametrize("env", ALL)
def test_conda_envs_pin_exactly_what_pip_installs(env):
    conda, pip = dependencies(env)
    assert [str(MatchSpec(line, strict=True)) for line in conda] == ["python 3.11.*", "pip"]
    assert all(PIN.fullmatch(line) for line in pip)
    lock = SEPARATE.get(env, LOCK)
    assert {name: version for name, version in pins(env).items() if lock.get(name, UNLOCKED.get(name)) != version} == {}


@pytest.mark.parametrize("env", ALL)
def test_conda_envs_are_whole(env):
    """Without what the requirements need in turn, the same file gave transformers 5.23 and python-dateutil 4 instead of the lock's."""
    assert COMPLETE["completed"](env) == (ENVS / env).read_text()


@cache
def imports(module):
    """The modules that a module imports anywhere in it: those of the package, and the names of others."""
    base = SOURCES.joinpath(*module.split("."))
    path = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())) if path else ():
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def packages(*modules):
    """The installed packages that these modules import, themselves or through others of the study's."""
    waiting, seen = {*modules}, set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= {name for name in imports(module) if name.startswith("valuedrift.")} - seen
    outside = {name.split(".")[0] for module in seen for name in imports(module)} - {"valuedrift", *sys.stdlib_module_names}
    return {re.sub(r"[-_.]+", "-", DISTRIBUTIONS.get(name, [name])[0]).lower() for name in outside}


def envs_and_steps():
    """(env, step) of every rule; what may run on vLLM or ask a server's model may run in vLLM's env too."""
    found = set()
    for path in RULES.glob("*.smk"):
        blocks = re.split(r"^ *(?:use )?rule ", path.read_text(), flags=re.MULTILINE)[1:]
        for block in blocks:
            step = re.search(r"-m valuedrift\.(\w+) (\S+)", block)
            if not step:
                continue
            directive = re.search(r"conda:(.*?)\n    (?=\w)", block, re.DOTALL).group(1)
            envs = {*re.findall(r"envs/(\w+\.yaml)", directive)}
            for chosen in re.findall(r"environments\.(\w+)", directive):  # by the config: vLLM's env, or another
                envs |= {"vllm.yaml", "prompts.yaml" if chosen == "chat_step" else "generate.yaml"}
            names = [step[2]] if step[2].isidentifier() else re.findall(r'\bcommand="?(\w+)', path.read_text())
            found |= {(env, f"{step[1]}.{name}") for env in envs for name in names}
    return sorted(found)


@pytest.mark.parametrize("env", ALL)
def test_every_step_finds_in_its_env_what_it_imports(env):
    steps = [step for other, step in envs_and_steps() if other == env]
    missing = {step: packages("valuedrift.cli", f"valuedrift.{step}") - pins(env).keys() - OPTIONAL for step in steps}
    assert steps and {step: names for step, names in missing.items() if names} == {}


def test_every_env_is_named_by_a_rule_and_every_rule_names_one_that_is_there():
    named = {name for path in RULES.glob("*.smk") for name in re.findall(r"envs/(\w+\.yaml)", path.read_text())}
    assert named | {"generate.yaml", "vllm.yaml"} == {*ALL} == {env for env, _ in envs_and_steps()}


@pytest.mark.parametrize("lock", ["vllm-cpu.txt", "vllm-gpu.txt"])
def test_vllms_installation_shares_versions_with_the_studys_and_leaves_out_what_breaks_it(lock):
    vllm = pins(lock)
    assert {name: vllm.get(name) for name in SHARED} == {name: LOCK[name] for name in SHARED}
    assert lock != "vllm-cpu.txt" or vllm["pytest"] == LOCK["pytest"]  # its tests run there
    # Installed by name before, in the build that fits the machine; the other three break the import of transformers.
    assert not {"torch", "torchvision", "torchaudio", "torchcodec"} & vllm.keys()
    assert all(PIN.fullmatch(line) for line in (ENVS / lock).read_text().split())


@pytest.mark.engines
def test_the_gpu_installation_resolves_as_it_is_locked(tmp_path):
    """Wheels for GPUs cannot run here, but pip can resolve whether their versions exist and agree."""
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
