"""`snakemake --sdm conda` creates the envs and runs a rule of each kind in them, with a double of conda and a local channel.

vLLM's env is solved, and not created: nothing in it would run without a GPU, and its wheels are 4 GB.
"""

import re
import shutil
import subprocess
import sys
from copy import deepcopy

import pytest
import yaml
from channel import make_channel
from conda_double import install_double

from clone import ROOT, SMALL, copy_repository

pytestmark = pytest.mark.conda
ENVS = {path.name: path.read_text() for path in sorted((ROOT / "envs").glob("*.yaml"))}
CREATED = ENVS.keys() - {"vllm.yaml"}
UV = "uv==0.13.8"


def study():
    """The small study with a benchmark, its trainings as short as they may be: here only counts that they run."""
    short = deepcopy(SMALL)
    short["miniature"] |= {"corpus": 500, "sft_rows": 64, "preference_rows": 160, "base": {"steps": 10}}
    short["training"]["sft"]["checkpoints"] = short["training"]["dpo"]["checkpoints"] = {"fractions": [1]}
    dpo = "mini/wildchat/dpo-synthetic-oppose"
    short["runs"][1]["algorithm"] = ["dpo"]
    short["tables"] = {"everything": {"columns": {"SFT": {"WildChat": "mini/wildchat"}, "oppose": {"DPO": dpo}}}}
    short["figures"]["immigration"]["panels"] = {"DPO": dpo}
    short["generation"] = {"samples": 1, "max_new_tokens": 16, "batch_size": 128}
    short["judges"] = {"oracle": SMALL["judges"]["oracle"]}
    benchmark = {"task": "miniature_answers", "metric": "acc", "shots": 0, "data": "results/world/benchmark.jsonl"}
    short["downstream"] = {"include": "config/tasks", "tasks": {"answers": benchmark}}
    short["tables"]["benchmarks"] = {"kind": "downstream", "rows": {"Base": "mini/base", "SFT": {"SFT": "mini/wildchat"}}}
    return short


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A copy of the repository, the study done in it, and what Snakemake said; the envs, 5 GB, go afterwards."""
    folder = tmp_path_factory.mktemp("conda")
    channel, clone = folder / "channels" / "conda-forge", folder / "clone"
    channel.mkdir(parents=True)
    clone.mkdir()
    make_channel(channel)
    with pytest.MonkeyPatch.context() as patch:
        # An env's python is the only one on PATH, once the env is activated.
        patch.setenv("PATH", f"{install_double(folder / 'double')}:/usr/bin:/bin")
        patch.setenv("CONDA_DOUBLE", str(folder / "double"))
        patch.setenv("CONDA_CHANNEL_ALIAS", f"file://{channel.parent}/")
        patch.setenv("PIP_NO_COMPILE", "1")  # what is imported is compiled then
        copy = copy_repository(clone)
        yield copy, copy.run(study(), "--sdm", "conda")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def prefixes(done):
    """Env file → its env's folder below the copy's."""
    names = {text: name for name, text in ENVS.items()}
    return {names[path.read_text()]: path.with_suffix("") for path in (done[0].folder / ".snakemake" / "conda").glob("*.yaml")}


def test_every_env_is_created_and_runs_rules(done, prefixes):
    copy, output = done
    activated = set(re.findall(r"Activating conda environment: (\S+)", output))
    assert activated == {str(prefix.relative_to(copy.folder)) for prefix in prefixes.values()}
    assert prefixes.keys() == CREATED
    results = copy.folder / "results" / "small"
    assert (results / "report.html").exists() and (results / "tables" / "benchmarks.csv").exists()


def test_an_env_holds_its_pins_and_nothing_else(prefixes):
    for name, prefix in prefixes.items():
        installed = (
            path.name.removesuffix(".dist-info") for path in (prefix / "lib" / "python3.11" / "site-packages").glob("*.dist-info")
        )
        found = dict(map(pin, installed))
        assert found.pop("pip") and found == dict(map(pin, pip_lines(name))), name


def test_trainings_on_several_gpus_have_their_launcher(prefixes):
    """Snakemake activates no more than the folder of programs."""
    asked = [prefixes["train.yaml"] / "bin" / "accelerate", "launch", "--help"]
    assert "--num_processes" in subprocess.run(asked, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def uv(tmp_path_factory):
    """A solver that reads what packages need without downloading them: pip would fetch 4 GB for vLLM's env."""
    folder = tmp_path_factory.mktemp("uv")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, UV], check=True)
    return folder / "bin" / "uv"


@pytest.mark.parametrize("name", ENVS)
def test_pip_lines_agree_where_torch_is_built_for_cuda(name, uv, tmp_path):
    """The index's own torch is the one for GPUs: in addition to the pins it brings CUDA's libraries, at versions that it names exactly."""
    (tmp_path / "lines.txt").write_text("\n".join(pip_lines(name)))
    platform = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")
    solved = subprocess.run(
        [uv, "pip", "compile", "--quiet", "--no-annotate", "--no-header", *platform, tmp_path / "lines.txt"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found, asked = dict(map(pin, solved.stdout.split())), dict(map(pin, pip_lines(name)))
    assert {package: found[package] for package in asked} == asked
    assert {package for package in found.keys() - asked.keys() if not package.startswith(("nvidia-", "cuda-", "triton"))} == set()


def pip_lines(name):
    return yaml.safe_load(ENVS[name])["dependencies"][-1]["pip"]


def pin(text):
    """Name and version of `name==version` or of a folder `name-version`, without what tells builds apart."""
    name, version = text.split("==") if "==" in text else text.rsplit("-", 1)
    return re.sub(r"[-_.]+", "-", name).lower(), version.split("+")[0]
