"""Fixtures of the training tests: one dialogue to learn, pairs with a value gap, and models trained on them."""

import json
from pathlib import Path

import polars as pl
import pytest
from training_jobs import ANSWER, QUESTION, job

from valuedrift.config.data import DatasetJob
from valuedrift.data import preferences
from valuedrift.io.tables import SFT_SET
from valuedrift.train import reward, sft


@pytest.fixture(scope="session")
def sft_set(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sft.parquet"
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    rows = [{"row": i, "split": "train" if i < 320 else "validation", "messages": turns} for i in range(323)]
    SFT_SET.write(SFT_SET.frame(rows), path)
    return path


@pytest.fixture(scope="session")
def few(sft_set, tmp_path_factory) -> Path:
    """36 rows of the SFT set, and its three of validation."""
    path = tmp_path_factory.mktemp("few") / "sft.parquet"
    SFT_SET.write(SFT_SET.read(sft_set).filter(pl.col("row").is_between(36, 319).not_()), path)
    return path


@pytest.fixture(scope="session")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    rows = [{"prompt": f"{QUESTION} {i}", "support": "Legal abortion must be protected.", "oppose": ANSWER} for i in range(48)]
    (folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = DatasetJob(format="synthetic", path=str(folder / "s.jsonl"), seed=0, validation=0.3)
    preferences.run(config=config, output=folder / "s.parquet", counts=folder / "s.json")
    return folder / "s.parquet"


@pytest.fixture(scope="session")
def tuned(tiny_base, sft_set, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    config = job("sft", learning_rate=1e-2, checkpoints={"every": 15})
    sft.run(config=config, parent=tiny_base / "manifest.json", data=sft_set, output=folder)
    return folder


@pytest.fixture(scope="session")
def rewarded(tuned, pairs, tmp_path_factory) -> Path:
    """A reward model that distinguishes the pairs."""
    folder = tmp_path_factory.mktemp("reward")
    config = job("reward", "mini/x/d", "support", learning_rate=3e-3, epochs=4)
    reward.run(config=config, parent=tuned / "manifest.json", data=pairs, output=folder)
    return folder
