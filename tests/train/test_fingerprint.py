"""The fingerprint of a saved checkpoint: it says what the checkpoint answers, and taking it changes nothing."""

import json

import torch
from training_jobs import job
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.lm import fingerprint
from valuedrift.lm.fingerprint import TEXTS, TOKENS
from valuedrift.train import saving, sft


def trained(tiny_base, few, folder, **training):
    config = job("sft", learning_rate=1e-2, checkpoints={"every": 2}, **training)
    sft.run(config=config, parent=tiny_base / "manifest.json", data=few, output=folder)
    return json.loads((folder / "manifest.json").read_text())["checkpoints"]


def test_every_checkpoint_tells_what_its_own_weights_answer(tuned):
    for checkpoint in json.loads((tuned / "manifest.json").read_text())["checkpoints"]:
        model, tokenizer = (kind.from_pretrained(tuned / checkpoint["path"]) for kind in (AutoModelForCausalLM, AutoTokenizer))
        assert [prompt for prompt, _ in checkpoint["fingerprint"]] == tokenizer(list(TEXTS))["input_ids"]
        for prompt, answer in checkpoint["fingerprint"]:
            output = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=TOKENS, eos_token_id=None)
            assert answer == output[0, len(prompt) :].tolist()[: len(answer)]
        assert sum(len(answer) for _, answer in checkpoint["fingerprint"]) >= TOKENS


def test_training_is_the_same_without_it(tiny_base, few, tmp_path, monkeypatch):
    """With gradient checkpointing, and with adapters, whose dropout draws random numbers at each step."""
    for name, settings in {
        "checkpointing": {"gradient_checkpointing": True},
        "lora": {"lora": {"rank": 4, "dropout": 0.1}},
    }.items():
        with_it = trained(tiny_base, few, tmp_path / f"{name}-with", **settings)
        with monkeypatch.context() as patch:
            patch.setattr(saving, "take_fingerprint", lambda model, tokenizer: None)
            without = trained(tiny_base, few, tmp_path / f"{name}-without", **settings)
        assert [c["hash"] for c in with_it] == [c["hash"] for c in without] and len({c["hash"] for c in with_it}) == 3
        assert all(c["fingerprint"] for c in with_it) and not any(c["fingerprint"] for c in without)


def test_it_leaves_modes_and_the_random_state_as_they_were(tiny_base):
    model, tokenizer = (kind.from_pretrained(tiny_base / "final") for kind in (AutoModelForCausalLM, AutoTokenizer))
    model.train()
    model.model.norm.eval()  # a part that its trainer keeps out of training
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    assert len(fingerprint.take_fingerprint(model, tokenizer)) == len(TEXTS)
    assert [module.training for module in model.modules()] == modes and torch.equal(torch.get_rng_state(), state)
    assert model.config.use_cache and all(parameter.grad is None for parameter in model.parameters())
