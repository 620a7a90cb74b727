"""Real dry runs on a finished study: which jobs return after an edit, and what lies below them.

Which keys change which step is tests/study/test_rerun_matrix.py: without Snakemake, for every stage.
"""

import copy
import os
import time

import pytest

from clone import SMALL

pytestmark = pytest.mark.workflow

BELOW_STANCES = {"values": 4, "drift": 3, "study_drift": 1, "drift_table": 1, "figure": 1, "miniature_recovery": 1, "judges_page": 1, "verdicts": 1,
                 "report": 1}  # fmt: skip
MEASURED_SFT = {
    "generations": 3,
    "stances": 6,
    "order_check": 1,
    "values": 3,
    **{k: v for k, v in BELOW_STANCES.items() if k != "values"},
}


def edited(edits):
    """The small study with some keys set; a path is dotted."""
    config = copy.deepcopy(SMALL)
    for path, value in edits.items():
        *way, last = path.split(".")
        node = config
        for part in way:
            node = node.setdefault(part, {})
        node[last] = value
    return config


@pytest.mark.parametrize(
    ("edits", "jobs"),
    [
        # A judge's prompt: that judge's stances alone; the other judge and all generations stay.
        ({"judges.mini-judge.prompt": "{prompt} {response} {topic}"}, {"stances": 4, **BELOW_STANCES}),
        # All that descends from the run, reward models too.
        ({"training.sft.learning_rate": 1e-3}, {"sft": 1, "dpo": 1, "reward": 1, "ppo": 1, **MEASURED_SFT}),
        # Nothing for how a machine computes it, for keys that no step of this study reads, and for a default that is spelled out.
        (
            {"generation.batch_size": 7, "generation.vllm": {"memory_share": 0.5}, "judges.mini-judge.batch_size": 7,
             "cluster": {"device": "a100-80gb", "gpus": 2, "gpu_memory": 0.01, "save_minutes": 0}, "training.simpo.gamma": 0.7,
             "training.reward.max_grad_norm": 1.0},
            {},
        ),
    ],
    ids=["prompt", "learning_rate", "machine"],
)  # fmt: skip
def test_an_edited_key_brings_back_the_steps_that_read_it_and_what_is_below(finished, edits, jobs):
    assert finished.planned(edited(edits)) == jobs


def test_the_order_of_keys_brings_back_nothing_nor_does_a_source_file_that_was_touched(finished):
    turned = {
        key: dict(reversed(value.items())) if isinstance(value, dict) and key != "judges" else value for key, value in SMALL.items()
    }
    now = time.time()
    for path in (finished.folder / "workflow" / "src" / "valuedrift").rglob("*.py"):
        os.utime(path, (now, now))
    assert finished.planned(dict(reversed(turned.items()))) == {}


def test_an_edited_source_file_brings_back_its_steps_and_what_is_below(finished):
    """Which files are a step's own is tests/io/test_source_files.py."""
    edits = {"judge/local.py": b"\n# edited\n", "report/report.css": b"\n/* edited */\n"}
    paths = {finished.folder / "workflow" / "src" / "valuedrift" / name: text for name, text in edits.items()}
    before = {path: path.read_bytes() for path in paths}
    try:
        for path, text in paths.items():
            path.write_bytes(before[path] + text)
        assert finished.planned(SMALL) == {"stances": 8, "order_check": 1, **BELOW_STANCES}
    finally:
        for path, text in before.items():
            path.write_bytes(text)
