"""Trainings of several processes: they do what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from safetensors.torch import load_file
from training_jobs import ANSWER, QUESTION, job

import valuedrift
from valuedrift.cluster.accelerate import launcher
from valuedrift.config.train import TrainingConfig
from valuedrift.errors import UserError
from valuedrift.io.tables import PREFERENCE_SET, SFT_SET, TRAINING_LOG
from valuedrift.train import dpo, processes, sft
from valuedrift.train.arguments import device_batches


def train_in_two(config, parent: Path, data: Path, output: Path, module: str = "valuedrift.train") -> None:
    """The command that a rule runs, with `accelerate launch` and two processes, gloo between them."""
    command = f"{launcher(2, 'fsdp2')} -m {module} {config.algorithm} --config @{output}.json --parent {parent} --data {data} --output {output}"
    Path(f"{output}.json").write_text(config.model_dump_json())
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{Path(valuedrift.__file__).parents[1]}:{Path(__file__).parent}",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def log(folder: Path) -> pl.DataFrame:
    return TRAINING_LOG.read(folder / "training_log.parquet").sort("metric", "step")


def assert_same_training(one: Path, two: Path, metrics: list[str], same_weights: float) -> None:
    for metric in metrics:
        a, b = (log(folder).filter(pl.col("metric") == metric)["value"] for folder in (one, two))
        assert len(a) == len(b) >= 4 and (a - b).abs().max() < 1e-4, metric
    a, b = (json.loads((folder / "manifest.json").read_text()) for folder in (one, two))
    hidden = [manifest.pop("checkpoints") for manifest in (a, b)]
    assert a == b
    assert [c["fingerprint"] for c in hidden[0]] == [c["fingerprint"] for c in hidden[1]]
    for checkpoint in hidden[0]:
        x, y = (load_file(folder / checkpoint["path"] / "model.safetensors") for folder in (one, two))
        assert x.keys() == y.keys() and max((x[name] - y[name]).abs().max() for name in x) < same_weights
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())


@pytest.fixture
def dialogues(tmp_path) -> Path:
    """Answers of 1 to 4 sentences, so that a process's share of a batch has more tokens than the other's."""
    turns = [
        [{"role": "user", "content": f"{QUESTION} {i}"}, {"role": "assistant", "content": " ".join([ANSWER] * (1 + i % 4))}]
        for i in range(32)
    ]
    rows = [{"row": i, "split": "train", "messages": messages} for i, messages in enumerate(turns)]
    SFT_SET.write(SFT_SET.frame(rows), tmp_path / "dialogues.parquet")
    return tmp_path / "dialogues.parquet"


@pytest.fixture
def whole_batches(pairs, tmp_path) -> Path:
    """As many pairs as make whole batches of 8: several processes fill the last batch of an epoch up with its first examples."""
    rows = PREFERENCE_SET.read(pairs).filter(pl.col("split") == "train")
    PREFERENCE_SET.write(rows.head(32), tmp_path / "whole.parquet")
    return tmp_path / "whole.parquet"


def test_sft_of_two_processes_is_that_of_one(tiny_base, dialogues, tmp_path):
    config, parent = job("sft", learning_rate=1e-3, max_length=256), tiny_base / "manifest.json"
    sft.run(config=config, parent=parent, data=dialogues, output=tmp_path / "one")
    train_in_two(config, parent, dialogues, tmp_path / "two")
    assert_same_training(tmp_path / "one", tmp_path / "two", ["loss", "grad_norm"], 1e-4)


def test_dpo_of_two_processes_is_that_of_one_also_where_they_share_the_weights(tiny_base, whole_batches, tmp_path):
    config, parent = job("dpo", learning_rate=1e-4, chosen="support"), tiny_base / "manifest.json"
    dpo.run(config=config, parent=parent, data=whole_batches, output=tmp_path / "one")
    train_in_two(config, parent, whole_batches, tmp_path / "two")
    assert_same_training(tmp_path / "one", tmp_path / "two", ["loss", "rewards/margins"], 1e-4)
    train_in_two(config, parent, whole_batches, tmp_path / "shared", "gpus_double")
    assert_same_training(tmp_path / "one", tmp_path / "shared", ["loss", "rewards/margins"], 1e-4)


@pytest.mark.parametrize(("visible", "kept"), [(None, "0"), ("", ""), ("3,5", "3"), ("GPU-a1,GPU-b2", "GPU-a1")])
def test_a_single_process_keeps_to_one_gpu(visible, kept, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    processes.join()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == kept
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr("accelerate.PartialState", lambda **_: None)
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(prctl=lambda *_: 0))
    processes.join()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,5"  # the launcher gives each its own


@pytest.mark.parametrize(
    ("batch", "device", "devices", "held", "accumulation"),
    [(32, None, 1, 32, 1), (32, 8, 1, 8, 4), (32, 8, 2, 8, 2), (32, 8, 8, 4, 1), (24, 8, 2, 6, 2), (128, 4, 8, 4, 4)],
)
def test_an_optimizer_step_has_the_configs_batch_on_any_number_of_devices(batch, device, devices, held, accumulation):
    training = TrainingConfig(learning_rate=1, batch_size=batch, device_batch_size=device)
    assert device_batches(training, devices) == (held, accumulation)
    assert held * accumulation * devices == batch


@pytest.mark.parametrize(
    ("batch", "devices", "says"),
    [
        (32, 3, "train on 2 or 4 (`cluster.gpus`), or set a batch_size of 30 or 33"),
        (10, 8, "train on 5 or 10 (`cluster.gpus`), or set a batch_size of 8 or 16"),
        (4, 6, "train on 4 (`cluster.gpus`), or set a batch_size of 6"),
    ],
)
def test_a_batch_that_devices_cannot_share_is_refused_with_what_is_nearest(batch, devices, says):
    with pytest.raises(UserError) as error:
        device_batches(TrainingConfig(learning_rate=1, batch_size=batch), devices)
    assert says in str(error.value)
