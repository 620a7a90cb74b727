"""The loaders on real extracts, which are not part of the project; VALUEDRIFT_REAL_DATA names their folder."""

import json
import os
from pathlib import Path

import pytest

from valuedrift.config.data import DatasetJob
from valuedrift.config.prompts import SourceConfig
from valuedrift.data import preferences, sft
from valuedrift.io.tables import PREFERENCE_SET, RAW_PROMPTS, SFT_SET
from valuedrift.prompts import raw

FOLDER = os.environ.get("VALUEDRIFT_REAL_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(FOLDER is None, reason="VALUEDRIFT_REAL_DATA names no folder with real extracts"),
]


def job(format, name, **values):
    return DatasetJob.model_validate({"format": format, "path": str(Path(FOLDER) / name), "seed": 0, **values})


def counts_of(step, config, tmp_path):
    step.run(config=config, output=tmp_path / "out.parquet", counts=tmp_path / "counts.json")
    return json.loads((tmp_path / "counts.json").read_text())


def test_alpaca_keeps_every_row(tmp_path):
    assert counts_of(sft, job("alpaca", "alpaca_9k.json"), tmp_path) == {
        "read": 9229, "kept": 9229, "drawn": 9229, "train": 8306, "validation": 923, "first_malformed": None,
    }  # fmt: skip
    answers = [turns[-1]["content"] for turns in SFT_SET.read(tmp_path / "out.parquet")["messages"].to_list()]
    assert sum(not answer for answer in answers) == 4  # as published


def test_hh_rlhf_drops_rows_without_a_pair_of_answers(tmp_path):
    config = job("hh_rlhf", "hh_rlhf_harmless_test.jsonl.gz", limit=2000)
    assert counts_of(preferences, config, tmp_path) == {
        "read": 2312, "kept": 2299, "unusable: an empty turn": 4, "unusable: turns do not alternate between user and assistant": 9,
        "drawn": 2000, "train": 1800, "validation": 200, "first_malformed": None,
    }  # fmt: skip
    pairs = PREFERENCE_SET.read(tmp_path / "out.parquet")
    assert all(prompt[-1]["role"] == "user" for prompt in pairs["prompt"].to_list())
    assert not any("\n\nHuman:" in text or "\n\nAssistant:" in text for text in [*pairs["chosen"], *pairs["rejected"]])


def test_prism_keeps_every_prompt(tmp_path):
    config = SourceConfig(path=str(Path(FOLDER) / "prism_prompts.csv"))
    assert counts_of(raw, config, tmp_path) == {"read": 7393, "kept": 7393, "duplicates": 0, "first_malformed": None}
    assert RAW_PROMPTS.read(tmp_path / "out.parquet").height == 7393
