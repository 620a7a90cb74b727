import json
import os
import signal
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError

from hub.double import UNKNOWN, Hub
from valuedrift.config.hub import HubItem

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = {
    "config.json": "{}", "tokenizer.json": "{}", "model-1.safetensors": "one", "model-2.safetensors": "two",
    "1_Pooling/config.json": "{}", "pytorch_model.bin": "x", "original/params.json": "{}", "original/consolidated.00.pth": "x",
    "onnx/config.json": "{}", "onnx/model.onnx": "x", "model.gguf": "x", "consolidated.safetensors": "x", "README.md": "x",
}  # fmt: skip
KEPT = ["1_Pooling/config.json", "config.json", "model-1.safetensors", "model-2.safetensors", "tokenizer.json"]


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


@pytest.fixture
def start(hub, tmp_path):
    """Starts a step of the stage as a process."""

    def start(step, config, output, **env):
        command = [sys.executable, "-m", "valuedrift.hub", step, "--config", json.dumps(config), "--output", str(output)]
        own = {
            "HF_HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": hub.address,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_TOKEN": "",
        }
        return subprocess.Popen(
            command, env={**os.environ, **own, **env}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start


def item(name, revision=COMMIT):
    return {"name": name, "revision": revision}


def finish(process):
    errors = process.communicate(timeout=60)[1]
    return process.returncode, errors


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper()])
def test_a_revision_is_a_full_commit(revision):
    with pytest.raises(ValidationError, match=f"revision `{revision}` is no commit"):
        HubItem(name="some/model", revision=revision)


def test_access_writes_what_there_is(start, tmp_path):
    config = {"models": [item("some/model")], "datasets": [item("some/rows")]}
    assert finish(start("access", config, tmp_path / "access.json"))[0] == 0
    assert json.loads((tmp_path / "access.json").read_text()) == {
        "model": {f"some/model@{COMMIT}": {"files": 5, "bytes": 12}},
        "dataset": {f"some/rows@{COMMIT}": {"files": 3, "bytes": 23}},
    }


def test_access_lists_every_fault_with_what_mends_it(start, tmp_path, hub):
    models = [item("some/model"), item("some/gated"), item("some/missing"), item("some/pickled")]
    config = {"models": models, "datasets": [item("some/rows", UNKNOWN), item("some/model")]}
    code, errors = finish(start("access", config, tmp_path / "access.json"))
    assert code == 1
    assert errors.splitlines() == [
        "valuedrift.hub access: 5 of 6 cannot be had from the hub:",
        f"the model some/gated is gated: accept its licence at {hub.address}/some/gated, then `hf auth login`",
        "the model some/missing is not on the hub: mend its name in the config's `models`; if it is private, `hf auth login`",
        "the model some/pickled has no .safetensors weights; other formats are not loaded, since they can run code",
        f"the dataset some/rows has no commit {UNKNOWN}: mend its `revision` in the config's `datasets`",
        "the dataset some/model is not on the hub: mend its name in the config's `datasets`; if it is private, `hf auth login`",
    ]
    assert not (tmp_path / "access.json").exists()


def test_a_token_opens_a_gated_model(start, tmp_path):
    config = {"models": [item("some/gated")], "datasets": []}
    assert finish(start("access", config, tmp_path / "access.json", HF_TOKEN="hf_double"))[0] == 0


@pytest.mark.parametrize("env", [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}])
@pytest.mark.parametrize("step", ["access", "model"])
def test_without_a_network_it_says_where_to_download(start, tmp_path, step, env):
    config = {"models": [item("some/model")], "datasets": []} if step == "access" else item("some/model")
    code, errors = finish(start(step, config, tmp_path / "out", **env))
    assert code == 1
    assert "the hub cannot be reached: run `snakemake downloads --configfile ...` on a machine with a network" in errors
    assert not (tmp_path / "out").exists()


def test_a_dataset_is_a_plain_folder_that_is_read_without_a_network(start, tmp_path):
    folder = tmp_path / "rows"
    assert finish(start("dataset", item("some/rows"), folder))[0] == 0
    assert files(folder) == [".gitattributes", "README.md", "train.jsonl"]
    assert not any(path.is_symlink() for path in folder.iterdir())
    read = "import sys; from valuedrift.io.records import read_rows; print(list(read_rows(sys.argv[1])))"
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "other"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    told = subprocess.run([sys.executable, "-c", read, str(folder)], env=env, text=True, capture_output=True, check=True)
    assert told.stdout == "[(1, {'text': 'a'})]\n"


def test_a_killed_download_leaves_no_folder_and_goes_on_where_it_was(start, tmp_path, hub):
    hub.stalled = {"model-2.safetensors"}
    folder = tmp_path / "models" / "a"
    killed = start("model", item("some/model"), folder)
    first = tmp_path / "models" / f".a.{COMMIT[:8]}.part" / "model-1.safetensors"
    asked = "GET /some/model/resolve/{}/{}"
    deadline = time.monotonic() + 60
    while not (first.exists() and asked.format(COMMIT, "model-2.safetensors") in hub.requests) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    finish(killed)
    assert first.exists()
    assert not folder.exists()
    hub.stalled = set()
    hub.resume.set()
    hub.requests.clear()
    assert finish(start("model", item("some/model"), folder))[0] == 0
    assert files(folder) == KEPT
    assert (folder / "model-2.safetensors").read_text() == "two"
    assert [path.name for path in folder.parent.iterdir()] == ["a"]
    assert asked.format(COMMIT, "model-2.safetensors") in hub.requests
    assert asked.format(COMMIT, "model-1.safetensors") not in hub.requests


def test_a_new_revision_replaces_the_folder(start, tmp_path, hub):
    folder = tmp_path / "rows"
    finish(start("dataset", item("some/rows"), folder))
    (hub.root / "datasets/some/rows/train.jsonl").rename(hub.root / "datasets/some/rows/other.jsonl")
    assert finish(start("dataset", item("some/rows", "f" * 40), folder))[0] == 0
    assert files(folder) == [".gitattributes", "README.md", "other.jsonl"]


def test_the_double_serves_as_a_process(tmp_path, hub, start):
    command = [sys.executable, "tests/hub/double.py", "--root", str(hub.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as double:
        address = double.stdout.readline().strip()
        code = finish(start("dataset", item("some/rows"), tmp_path / "rows", HF_ENDPOINT=address))[0]
        double.terminate()
    assert code == 0
