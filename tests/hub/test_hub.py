import json
import os
import subprocess
import sys
import time
from random import Random

import datasets
import pytest
from huggingface_hub import constants
from pydantic import ValidationError

from chaos.corrupt import flip
from hub.double import UNKNOWN, Hub
from valuedrift.config.hub import AccessJob, HubItem
from valuedrift.errors import UserError
from valuedrift.hub import access, dataset, model
from valuedrift.io.row_files import read_rows
from valuedrift.io.weights import check_seal

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = {
    "config.json": "{}", "tokenizer.json": "{}", "model-1.safetensors": "one", "model-2.safetensors": "two",
    "1_Pooling/config.json": "{}", "pytorch_model.bin": "x", "original/params.json": "{}", "original/consolidated.00.pth": "x",
    "onnx/config.json": "{}", "onnx/model.onnx": "x", "model.gguf": "x", "consolidated.safetensors": "x", "README.md": "x",
}  # fmt: skip
KEPT = [".sha256.json", "1_Pooling/config.json", "config.json", "model-1.safetensors", "model-2.safetensors", "tokenizer.json"]


@pytest.fixture
def hub(tmp_path):
    root = tmp_path / "hub"
    repositories = {
        "models/some/model": MODEL,
        "models/some/gated": {".gated": "", "model.safetensors": "x"},
        "models/some/pickled": {"config.json": "{}", "pytorch_model.bin": "x"},
        "datasets/some/rows": {"README.md": "---\n---\n", "train.jsonl": '{"text": "a"}\n', ".gitattributes": "x"},
    }
    for repository, files in repositories.items():
        for name, text in files.items():
            path = root / repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    with Hub(root) as server:
        yield server


@pytest.fixture(autouse=True)
def library(hub, monkeypatch, tmp_path):
    """Point huggingface_hub, in this process, at the double; return a function that changes its settings."""

    def configure(endpoint=hub.address, offline=False, token=""):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home" / "token"))
        monkeypatch.setenv("HF_TOKEN", token)

    configure()
    return configure


def item(name, revision=COMMIT):
    return HubItem(name=name, revision=revision)


def look_up(output, models=(), datasets=()):
    """Run the step `access` and return what it wrote."""
    access.run(config=AccessJob(models=list(models), datasets=list(datasets)), output=output)
    return json.loads(output.read_text())


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper()])
def test_a_revision_is_a_full_commit(revision):
    with pytest.raises(ValidationError, match=f"revision `{revision}` is not a full commit"):
        HubItem(name="some/model", revision=revision)


def test_access_writes_the_number_of_files_and_bytes(tmp_path):
    assert look_up(tmp_path / "access.json", [item("some/model")], [item("some/rows")]) == {
        "model": {f"some/model@{COMMIT}": {"files": 5, "bytes": 12}},
        "dataset": {f"some/rows@{COMMIT}": {"files": 3, "bytes": 23}},
    }


def test_access_lists_every_fault_and_what_to_do(tmp_path, hub):
    models = [item("some/model"), item("some/gated"), item("some/missing"), item("some/pickled")]
    with pytest.raises(UserError) as raised:
        look_up(tmp_path / "access.json", models, [item("some/rows", UNKNOWN), item("some/model")])
    assert str(raised.value).splitlines() == [
        "5 of 6 cannot be downloaded from the hub:",
        f"the model some/gated is gated: accept its licence at {hub.address}/some/gated, then run `hf auth login`",
        "the model some/missing is not on the hub: correct its name in the config's `models`; if it is private, run `hf auth login`",
        "the model some/pickled has no .safetensors weights; other formats are not loaded, since they can run code",
        f"the dataset some/rows has no commit {UNKNOWN}: correct its `revision` in the config's `datasets`",
        "the dataset some/model is not on the hub: correct its name in the config's `datasets`; if it is private, run `hf auth login`",
    ]
    assert not (tmp_path / "access.json").exists()


def test_a_token_opens_a_gated_model(library, tmp_path):
    library(token="hf_double")
    assert look_up(tmp_path / "access.json", [item("some/gated")])["model"][f"some/gated@{COMMIT}"]["files"] == 1


@pytest.mark.parametrize("settings", [{"endpoint": "http://127.0.0.1:9"}, {"offline": True}])
@pytest.mark.parametrize("step", ["access", "model"])
def test_without_a_network_the_message_says_where_to_download(library, tmp_path, step, settings):
    library(**settings)
    with pytest.raises(
        UserError, match=r"the hub cannot be reached: run `snakemake downloads --configfile ...` on a machine with a network"
    ):
        look_up(tmp_path / "out", [item("some/model")]) if step == "access" else model.run(
            config=item("some/model"), output=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_a_dataset_is_a_plain_folder_that_is_read_without_a_network(library, tmp_path, monkeypatch):
    folder = tmp_path / "rows"
    dataset.run(config=item("some/rows"), output=folder)
    assert files(folder) == [".gitattributes", "README.md", "train.jsonl"]
    assert not any(path.is_symlink() for path in folder.iterdir())
    library(endpoint="http://127.0.0.1:9", offline=True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert list(read_rows(str(folder))) == [(1, {"text": "a"})]


def test_an_interrupted_download_leaves_no_folder_and_continues(tmp_path, hub):
    hub.stalled = {"model-2.safetensors"}
    folder = tmp_path / "models" / "a"
    config = item("some/model").model_dump_json()
    command = [sys.executable, "-m", "valuedrift.hub", "model", "--config", config, "--output", str(folder)]
    own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    first = tmp_path / "models" / f".a.{COMMIT[:8]}.part" / "model-1.safetensors"
    asked = "GET /some/model/resolve/{}/{}"
    with subprocess.Popen(command, env={**os.environ, **own}, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while not (first.exists() and asked.format(COMMIT, "model-2.safetensors") in hub.requests) and time.monotonic() < deadline:
            time.sleep(0.05)
        killed.kill()
    assert first.exists()
    assert not folder.exists()
    hub.stalled = set()
    hub.resume.set()
    hub.requests.clear()
    model.run(config=item("some/model"), output=folder)
    assert files(folder) == KEPT
    assert (folder / "model-2.safetensors").read_text() == "two"
    assert [path.name for path in folder.parent.iterdir()] == ["a"]
    assert asked.format(COMMIT, "model-2.safetensors") in hub.requests
    assert asked.format(COMMIT, "model-1.safetensors") not in hub.requests


def test_a_file_that_comes_with_a_flipped_bit_is_fetched_again_and_one_that_gets_it_later_is_noticed(tmp_path, hub):
    hub.damaged, folder = {"model-2.safetensors"}, tmp_path / "a"
    with pytest.raises(UserError, match=r"some/model came with model-2.safetensors damaged: start the download again"):
        model.run(config=item("some/model"), output=folder)
    assert not folder.exists()
    hub.damaged = set()
    model.run(config=item("some/model"), output=folder)
    check_seal(folder)
    flip(folder / "config.json", Random(0))
    with pytest.raises(UserError, match=r"a: config.json has changed since the model was made; make it again with"):
        check_seal(folder)


def test_a_new_revision_replaces_the_folder(tmp_path, hub):
    folder = tmp_path / "rows"
    dataset.run(config=item("some/rows"), output=folder)
    (hub.root / "datasets/some/rows/train.jsonl").rename(hub.root / "datasets/some/rows/other.jsonl")
    dataset.run(config=item("some/rows", "f" * 40), output=folder)
    assert files(folder) == [".gitattributes", "README.md", "other.jsonl"]
