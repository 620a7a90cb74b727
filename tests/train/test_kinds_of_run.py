"""Runs beyond the paper's: adapters, random weights, no SFT, checkpoints of others."""

import json
import shutil

import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from training_jobs import ANSWER, QUESTION, job
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.models import ModelConfig
from valuedrift.config.train import BaseJob, ExternalJob
from valuedrift.errors import UserError
from valuedrift.io.tables import TRAINING_LOG
from valuedrift.train import base, dpo, external, kto, reward, sft, simpo
from valuedrift.train.model import adapted, load_model, merged
from valuedrift.train.ppo import step as ppo

LORA = {"rank": 8, "alpha": 16}


def weights(folder):
    return load_file(folder / "final" / "model.safetensors")


def answer_likelihood(folder):
    """Log probability of the learnt answer after the question."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(input_ids=ids, labels=ids).loss.item()


def test_adapters_learn_and_checkpoints_are_whole_models_of_the_parents_shape(tiny_base, sft_set, tmp_path):
    config = job("sft", learning_rate=2e-2, lora=LORA)
    sft.run(config=config, parent=tiny_base / "manifest.json", data=sft_set, output=tmp_path)
    before, after = weights(tiny_base), weights(tmp_path)
    assert {k: v.shape for k, v in before.items()} == {k: v.shape for k, v in after.items()}
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert any("embed_tokens" in name for name in same) and not any("q_proj" in name for name in same)
    early = tmp_path / json.loads((tmp_path / "manifest.json").read_text())["checkpoints"][0]["path"]
    losses = [answer_likelihood(folder) for folder in (early, tmp_path / "final")]
    log = TRAINING_LOG.read(tmp_path / "training_log.parquet").filter(pl.col("metric") == "loss").sort("step")["value"]
    assert losses[1] < losses[0] and log[-1] < 0.9 * log[0]


def test_a_merged_model_answers_as_the_adapted_one(tiny_base):
    torch.manual_seed(0)
    model = adapted(load_model(tiny_base / "final", ModelConfig(path="x")), job("sft", learning_rate=1, lora=LORA).training).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zeros before any training
            torch.nn.init.normal_(parameter, std=0.1)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, merged(model)(input_ids=ids).logits, atol=1e-4)
        with model.disable_adapter():
            assert not torch.allclose(model(input_ids=ids).logits, merged(model)(input_ids=ids).logits, atol=1e-2)
    plain = load_model(tiny_base / "final", ModelConfig(path="x"))
    assert merged(plain) is plain


def test_every_algorithm_trains_adapters(tuned, pairs, tmp_path):
    manifest = tuned / "manifest.json"
    for step, algorithm in ((dpo, "dpo"), (simpo, "simpo"), (kto, "kto")):
        config = job(algorithm, chosen="support", learning_rate=1e-2, lora=LORA)
        step.run(config=config, parent=manifest, data=pairs, output=tmp_path / algorithm)
        assert answer_likelihood(tmp_path / algorithm / "final") > answer_likelihood(tuned / "final")  # it is the rejected one
    config = job("reward", "mini/x/d", "support", learning_rate=1e-3, lora=LORA)
    reward.run(config=config, parent=manifest, data=pairs, output=tmp_path / "reward")
    score = next(value for name, value in weights(tmp_path / "reward").items() if "score" in name)
    assert score.abs().sum() > 0 and not any("lora" in name for name in weights(tmp_path / "reward"))
    config = job("ppo", chosen="support", learning_rate=1e-3, batch_size=16, heldout=4, lora=LORA)
    ppo.run(config=config, parent=manifest, reward=tmp_path / "reward" / "manifest.json", data=pairs, output=tmp_path / "ppo")
    assert not torch.equal(*(next(v for k, v in weights(f).items() if "q_proj" in k) for f in (tuned, tmp_path / "ppo")))


def test_random_weights_are_the_seeds_and_can_be_optimized_without_sft(tiny_world, tiny_base, pairs, tmp_path):
    model = ModelConfig(path=str(tiny_world / "base"), weights="random")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        base.run(config=BaseJob(run="mini/base", model=model, seed=seed), output=tmp_path / name)
    a, b, c = (json.loads((tmp_path / name / "manifest.json").read_text())["checkpoints"][0]["hash"] for name in "abc")
    assert a == b != c and weights(tmp_path / "a").keys() == weights(tiny_base).keys()
    for parent in (tmp_path / "a", tiny_base):
        out = tmp_path / f"dpo-{parent.name}"
        dpo.run(config=job("dpo", chosen="oppose", learning_rate=1e-3), parent=parent / "manifest.json", data=pairs, output=out)
        assert json.loads((out / "manifest.json").read_text())["parent"] == "mini/base"


def test_external_checkpoints_become_a_trajectory(tiny_world, tuned, tmp_path):
    folders = [(0, str(tiny_world / "pretraining" / "0"), None), (40, str(tuned / "final"), None)]
    config = ExternalJob(run="other/external", checkpoints=folders, trust_remote_code=False, seed=0)
    external.run(config=config, output=tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [(c["step"], c["chat"]) for c in manifest["checkpoints"]] == [(0, False), (40, True)] and manifest["total_steps"] == 40
    for checkpoint in manifest["checkpoints"]:
        AutoModelForCausalLM.from_pretrained(tmp_path / checkpoint["path"])
    assert manifest["checkpoints"][-1]["hash"] == json.loads((tuned / "manifest.json").read_text())["checkpoints"][-1]["hash"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text((tuned / "final" / "config.json").read_text())
    bad = config.model_copy(update={"checkpoints": [(0, str(tmp_path / "empty"), None)]})
    with pytest.raises(UserError, match=r"no \.safetensors weights"):
        external.run(config=bad, output=tmp_path / "bad")


def test_snakemakes_timestamp_of_a_models_folder_is_not_linked(tuned, tmp_path):
    shutil.copytree(tuned / "final", tmp_path / "model")
    (tmp_path / "model" / ".snakemake_timestamp").touch()
    base.run(config=BaseJob(run="m/base", model=ModelConfig(path=str(tmp_path / "model")), seed=0), output=tmp_path)
    assert not [path for path in (tmp_path / "final").iterdir() if path.name.startswith(".")]
