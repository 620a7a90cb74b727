"""A checkpoint's fingerprint is compared after it is loaded, so that no other weights are measured in its place."""

import shutil

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from manifests import write_manifest_of
from valuedrift.config.generate import GenerationConfig, GenerationJob
from valuedrift.errors import UserError
from valuedrift.generate import responses
from valuedrift.generate.responses import check_fingerprint
from valuedrift.io.manifest import Checkpoint, read_manifest
from valuedrift.lm.fingerprint import take_fingerprint


@pytest.fixture
def run(tiny_base, tmp_path):
    """A run's manifest whose only checkpoint is the base model."""
    folder = shutil.copytree(tiny_base / "final", tmp_path / "trajectory" / "step-3")
    known = take_fingerprint(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    return write_manifest_of(tmp_path, [3], fingerprint=known)


def measure(manifest, prompts, **settings):
    config = GenerationConfig(samples=1, max_new_tokens=4, **settings)
    job = GenerationJob(run="mini/x", seed=0, dtype="float32", trust_remote_code=False, generation=config)
    responses.run(config=job, manifest=manifest, prompts=prompts, output=manifest.parent / "g.parquet")


def test_the_saved_weights_pass_and_others_are_refused_unless_the_config_allows_them(run, some_prompts):
    measure(run, some_prompts)
    folder = run.parent / "trajectory" / "step-3"
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.model.embed_tokens.weight.data.neg_()
    model.save_pretrained(folder)
    write_manifest_of(run.parent, [3], fingerprint=read_manifest(run).checkpoints[0].fingerprint)
    with pytest.raises(
        UserError, match=r"step 3: the weights in the engine are not those that were saved: \d of \d answers differ"
    ):
        measure(run, some_prompts)
    measure(run, some_prompts, fingerprint=False)


class PlannedEngine:
    """A double of an engine whose greedy answers are planned."""

    def __init__(self, *answers):
        self.answers = answers

    def greedy(self, prompts, tokens):
        return [answer[:tokens] for answer in self.answers]


SAVED = {"step": 1, "path": "", "hash": ""}
ANSWERS = [[[1], [5, 6]], [[2], [7]], [[3], [8, 9]], [[4], []]]
KNOWN = Checkpoint.model_validate(SAVED | {"fingerprint": ANSWERS})


def test_every_token_counts_where_rounding_is_fine_and_most_first_tokens_where_it_is_coarse():
    check_fingerprint(PlannedEngine([5, 6], [7, 0], [8, 9]), KNOWN, exactly=True)
    check_fingerprint(PlannedEngine([5, 0], [7, 0], [0, 0]), KNOWN, exactly=False)
    for exactly, answers in ((True, ([5, 6], [7, 0], [8, 0])), (False, ([5, 6], [0, 0], [0, 9]))):
        with pytest.raises(UserError, match="step 1"):
            check_fingerprint(PlannedEngine(*answers), KNOWN, exactly=exactly)


def test_a_checkpoint_without_a_fingerprint_passes_unasked():
    check_fingerprint(None, Checkpoint.model_validate(SAVED), exactly=True)
    check_fingerprint(None, Checkpoint.model_validate(SAVED | {"fingerprint": None}), exactly=True)


def test_a_manifest_of_an_older_version_has_it_under_another_name():
    older = Checkpoint.model_validate(SAVED | {"canary": ANSWERS})
    check_fingerprint(PlannedEngine([5, 6], [7, 0], [8, 9]), older, exactly=True)
    with pytest.raises(UserError, match="step 1"):
        check_fingerprint(PlannedEngine([5, 6], [7, 0], [8, 0]), older, exactly=True)
