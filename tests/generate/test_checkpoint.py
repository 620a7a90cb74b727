"""What two checkpoints must share for one engine to sample both, read from their files alone."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from valuedrift.errors import UserError
from valuedrift.generate.checkpoint import Checkpoint, damage, differences
from valuedrift.generate.tokenization import Tokenization

NORM = "model.norm.weight"


def read(folder):
    return Checkpoint.read(folder, Tokenization.load(folder, False, "", False))


@pytest.fixture
def held(tiny_base):
    return read(tiny_base / "final")


@pytest.fixture
def folder(tiny_base, tmp_path):
    return shutil.copytree(tiny_base / "final", tmp_path / "copy")


def rewrite(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_other_numbers_and_keys_that_shape_nothing_fit(held, folder):
    rewrite(folder, lambda tensors: [tensor.add_(1) for tensor in tensors.values()])
    edit(folder / "config.json", transformers_version="0", use_cache=False, dtype="bfloat16", pad_token_id=7)
    assert differences(held, read(folder)) is None and damage(held, read(folder)) is None


def test_an_output_layer_that_is_tied_may_be_saved_or_not(held, folder):
    rewrite(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}))
    assert differences(held, read(folder)) is None


@pytest.mark.parametrize(
    ("change", "why", "is_damage"),
    [
        (lambda t: t.pop(NORM), f"lacks the tensor {NORM}", True),
        (lambda t: t.update({NORM: torch.ones(7)}), rf"shape of {NORM} is (7,), not (32,)", True),
        (lambda t: t.update({"extra": torch.ones(7)}), "has the additional tensor extra", False),
        (lambda t: t.update({NORM: t[NORM].bfloat16()}), f"type of {NORM} is BF16, not F32", False),
    ],
)
def test_other_tensors_are_named(held, folder, change, why, is_damage):
    rewrite(folder, change)
    assert differences(held, read(folder)) == why and damage(held, read(folder)) == (why if is_damage else None)


def test_another_architecture_vocabulary_or_end_token_is_named_and_is_not_damage(held, folder):
    edit(folder / "generation_config.json", eos_token_id=[0, 5])
    assert differences(held, read(folder)) == "other end tokens: [0, 5], not [0]"
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    last, before = sorted(vocabulary, key=vocabulary.get)[:-3:-1]
    vocabulary[last], vocabulary[before] = vocabulary[before], vocabulary[last]
    edit(folder / "tokenizer.json", model=tokenizer["model"])
    assert differences(held, read(folder)) == "other vocabulary"
    edit(folder / "config.json", rms_norm_eps=0.1)
    assert differences(held, read(folder)) == "other rms_norm_eps: 0.1, not 1e-06" and damage(held, read(folder)) is None


def test_shards_count_together_and_one_that_is_missing_is_named(held, folder):
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    files = {"a.safetensors": names[:4], "b.safetensors": names[4:]}
    for file, part in files.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    index = {"weight_map": {name: file for file, part in files.items() for name in part}}
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert differences(held, read(folder)) is None
    (folder / "b.safetensors").unlink()
    with pytest.raises(UserError, match=r"b.safetensors cannot be read .* incomplete"):
        read(folder)
