"""Which jobs return when one thing is edited in a finished study: asked by dry runs, one edit at a time."""

import copy
import os
import time

import pytest

from clone import SMALL

pytestmark = pytest.mark.workflow

BELOW_STANCES = {"values": 4, "drift": 3, "study_drift": 1, "drift_table": 1, "figure": 1, "miniature_recovery": 1, "judges_page": 1,
                 "report": 1}  # fmt: skip
BELOW_GENERATIONS = {"generations": 4, "stances": 8, **BELOW_STANCES}
ONE_RUN = {"generations": 1, "stances": 2, "values": 1, **dict.fromkeys(BELOW_STANCES, 1)}
MEASURED_SFT = {"generations": 3, "stances": 6, "values": 3, **{k: v for k, v in BELOW_STANCES.items() if k != "values"}}


def edited(path, value):
    config = copy.deepcopy(SMALL)
    *way, last = path.split(".")
    node = config
    for part in way:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node[int(part)]
    node[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "jobs"),
    [
        ("style.dpi", 100, {"figure": 1, "report": 1}),
        ("tables.everything.caption", "New", {"drift_table": 1, "report": 1}),
        ("report.samples", 1, {"report": 1}),
        ("drift.extremum", "farthest", {"drift": 3, "study_drift": 1, "drift_table": 1, "report": 1}),
        ("values.confidence", 0.9, BELOW_STANCES),
        # A judge's prompt: that judge's stances alone; the other judge and all generations stay.
        ("judges.mini-judge.prompt", "{prompt} {response} {topic}", {"stances": 4, **BELOW_STANCES}),
        ("judges.mini-judge.orders", "latin", {"stances": 4, **BELOW_STANCES}),
        ("generation.temperature", 1.0, BELOW_GENERATIONS),
        # How a machine does it decides no result.
        ("generation.batch_size", 7, {}),
        ("generation.vllm", {"memory_share": 0.5}, {}),
        ("judges.mini-judge.batch_size", 7, {}),
        ("cluster", {"device": "a100-80gb", "gpus": 2, "gpu_memory": 0.01, "save_minutes": 0}, {}),
        ("training.dpo.beta", 0.2, {"dpo": 1, **ONE_RUN}),
        ("training.sft.learning_rate", 1e-3, {"sft": 1, "dpo": 1, "reward": 1, "ppo": 1, **MEASURED_SFT}),
        ("training.reward.learning_rate", 1e-3, {"reward": 1, "ppo": 1, **ONE_RUN}),
        ("prompts.per_category", 4, {"prompts": 1, "curation_counts": 1, **BELOW_GENERATIONS}),
        # Placing a cluster brings back what follows curation's step, and neither embeddings nor clusters.
        ("prompts.categories.Race and Racism.exclude", ["weather / today"],
         {"cluster_categories": 1, "suggestion": 1, "clusters_page": 1, "value_laden": 1, "prompts": 1, "curation_counts": 1,
          "miniature_clustering": 1, **BELOW_GENERATIONS}),
        # What is only shown beside the data trains nothing anew.
        ("datasets.wildchat.expected", {"train": 5}, {"report": 1}),
        ("models.mini.parameters", 1e9, {"report": 1}),
        # Keys that no step of this study reads.
        ("training.simpo.gamma", 0.7, {}),
        ("training.reward.max_grad_norm", 1.0, {}),  # the default, spelled out
    ],
)  # fmt: skip
def test_an_edited_key_brings_back_the_steps_that_read_it_and_what_is_below(finished, path, value, jobs):
    assert finished.planned(edited(path, value)) == jobs


def test_a_finished_study_has_nothing_to_do_whatever_the_order_of_its_keys(finished):
    assert finished.planned(SMALL) == {}
    turned = {
        key: dict(reversed(value.items())) if isinstance(value, dict) and key != "judges" else value for key, value in SMALL.items()
    }
    assert finished.planned(dict(reversed(turned.items()))) == {}


def test_swapped_values_are_noticed(finished):
    config = edited("training.dpo.epochs", SMALL["training"]["dpo"]["batch_size"])
    config["training"]["dpo"]["batch_size"] = SMALL["training"]["dpo"]["epochs"]
    assert finished.planned(config) == {"dpo": 1, **ONE_RUN}


@pytest.mark.parametrize(
    ("source", "jobs"),
    [
        ("train/dpo.py", {"dpo": 1, **ONE_RUN}),
        ("train/ppo.py", {"ppo": 1, **ONE_RUN}),
        ("judge/local.py", {"stances": 8, **BELOW_STANCES}),
        ("drift/trajectory.py", {"drift": 3, "study_drift": 1, "drift_table": 1, "report": 1}),
        ("report/figure.py", {"figure": 1, "report": 1}),
        ("report/report.css", {"judges_page": 1, "report": 1}),
        ("frames.py", {}),  # shared: a step takes its config as JSON and its tables are declared
    ],
)
def test_source_files_touched_do_nothing_and_edited_bring_back_their_step(finished, source, jobs):
    path = finished.folder / "workflow" / "src" / "valuedrift" / source
    before, stat = path.read_bytes(), path.stat()
    try:
        os.utime(path, (time.time(), time.time()))
        assert finished.planned(SMALL) == {}
        path.write_bytes(before + (b"\n/* edited */\n" if source.endswith("css") else b"\n# edited\n"))
        assert finished.planned(SMALL) == jobs
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
