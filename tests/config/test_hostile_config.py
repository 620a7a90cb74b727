"""Configs that no honest user writes, or only by accident: one line before any work."""

import os

import pytest
from test_study_config import edited

from valuedrift.errors import UserError
from valuedrift.study.load import load_study


def test_a_dataset_that_is_a_named_pipe_is_refused_before_any_work(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(UserError, match=r"rows.jsonl is a named pipe: only regular files are read"):
        load_study(edited("datasets.alpaca.path", str(tmp_path / "rows.jsonl")))
