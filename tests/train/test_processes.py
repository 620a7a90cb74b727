"""Trainings of several processes: they do what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from training_jobs import job

from valuedrift.config.training import TrainingConfig
from valuedrift.errors import UserError
from valuedrift.frames import PREFERENCE_SET, TRAINING_LOG
from valuedrift.launch import launcher
from valuedrift.train import dpo, sft
from valuedrift.train.arguments import device_batches


def train_in_two(config, parent: Path, data: Path, output: Path) -> None:
    """The command that a rule runs, with `accelerate launch` and two processes, gloo between them."""
    command = f"{launcher(2, 'fsdp2')} -m valuedrift.train {config.algorithm} --config @{output}.json --parent {parent} --data {data} --output {output}"
    Path(f"{output}.json").write_text(config.model_dump_json())
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def log(folder: Path) -> pl.DataFrame:
    return TRAINING_LOG.read(folder / "training_log.parquet").sort("metric", "step")


def assert_same_training(one: Path, two: Path, metrics: list[str], same_weights: float) -> None:
    for metric in metrics:
        a, b = (log(folder).filter(pl.col("metric") == metric)["value"] for folder in (one, two))
        assert len(a) == len(b) > 3 and (a - b).abs().max() < 1e-4, metric
    a, b = (json.loads((folder / "manifest.json").read_text()) for folder in (one, two))
    hidden = [manifest.pop("checkpoints") for manifest in (a, b)]
    assert a == b
    assert [c["canary"] for c in hidden[0]] == [c["canary"] for c in hidden[1]]
    for checkpoint in hidden[0]:
        x, y = (load_file(folder / checkpoint["path"] / "model.safetensors") for folder in (one, two))
        assert x.keys() == y.keys() and max((x[name] - y[name]).abs().max() for name in x) < same_weights
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())


def test_sft_of_two_processes_is_that_of_one(tiny_base, sft_set, tmp_path):
    config = job("sft", learning_rate=1e-3, device_batch_size=2)
    parent = tiny_base / "manifest.json"
    sft.run(config=config, parent=parent, data=sft_set, output=tmp_path / "one")
    train_in_two(config, parent, sft_set, tmp_path / "two")
    assert_same_training(tmp_path / "one", tmp_path / "two", ["loss", "grad_norm"], 1e-4)


@pytest.fixture
def whole_batches(pairs, tmp_path) -> Path:
    """As many pairs as make whole batches of 8: several processes fill the last batch of an epoch up."""
    rows = PREFERENCE_SET.read(pairs).filter(pl.col("split") == "train")
    assert rows.height == 33
    PREFERENCE_SET.write(rows.head(32), tmp_path / "whole.parquet")
    return tmp_path / "whole.parquet"


def test_dpo_of_two_processes_is_that_of_one(tuned, whole_batches, tmp_path):
    config = job("dpo", learning_rate=1e-4, chosen="support", epochs=2, device_batch_size=4)
    parent = tuned / "manifest.json"
    dpo.run(config=config, parent=parent, data=whole_batches, output=tmp_path / "one")
    train_in_two(config, parent, whole_batches, tmp_path / "two")
    assert_same_training(tmp_path / "one", tmp_path / "two", ["loss", "rewards/margins"], 1e-4)
