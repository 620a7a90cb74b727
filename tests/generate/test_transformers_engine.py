import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from valuedrift.config.generate import GenerationConfig
from valuedrift.errors import UserError
from valuedrift.generate.engine import Request
from valuedrift.generate.responses import make_engine
from valuedrift.lm.decoding import SeededDraws

ASKED = [Request(f"Is tax {number} right?\nResponse:", number) for number in range(16)]


def engine_of(folder, **values):
    engine = make_engine(
        GenerationConfig(**{"max_new_tokens": 24, "temperature": 1.0, **values}), "float32", trust_remote_code=False
    )
    engine.load(folder, chat=False)
    return engine


def sampled_with(tiny_base, folder, **settings):
    """Responses of the base model with other settings in its generation_config.json."""
    shutil.copytree(tiny_base / "final", folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    engine = engine_of(folder)
    return engine.sample(ASKED), engine


def test_checkpoints_are_sampled_alike_whatever_their_generation_config_says(tiny_base, tmp_path):
    plain, _ = sampled_with(tiny_base, tmp_path / "plain")
    for name, settings in {"a": {"repetition_penalty": 1.3}, "b": {"no_repeat_ngram_size": 1}, "c": {"min_new_tokens": 24}}.items():
        assert sampled_with(tiny_base, tmp_path / name, **settings)[0] == plain


def test_a_response_ends_on_every_end_token_of_the_checkpoint_and_the_tokenizer(tiny_base, tmp_path):
    plain, engine = sampled_with(tiny_base, tmp_path / "plain")
    (word,) = engine.tokenization.tokenizer(" the")["input_ids"]
    found, _ = sampled_with(tiny_base, tmp_path / "extra", eos_token_id=[word])
    cut = [(before, after) for before, after in zip(plain, found, strict=True) if before != after]
    assert cut and all(after.finish_reason == "stop" and after.n_tokens < before.n_tokens for before, after in cut)
    assert all(before.text.startswith(after.text) for before, after in cut)
    assert all(before.text[len(after.text) :].strip().startswith("the") for before, after in cut)
    assert any(before == after and after.finish_reason == "stop" for before, after in zip(plain, found, strict=True))


def test_a_response_is_cut_where_its_tokens_are_spent_and_an_end_token_in_the_last_place_still_ends_it(tiny_base):
    whole = engine_of(tiny_base / "final").sample(ASKED)
    length = next(response.n_tokens for response in whole if response.finish_reason == "stop")
    for limit in (length, length + 1):
        for before, after in zip(whole, engine_of(tiny_base / "final", max_new_tokens=limit).sample(ASKED), strict=True):
            stops = before.finish_reason == "stop" and before.n_tokens < limit
            assert (after.finish_reason, after.n_tokens) == (("stop", before.n_tokens) if stops else ("length", limit))


def test_the_seed_alone_decides_a_response(tiny_base):
    engine = engine_of(tiny_base / "final")
    seeds = [3, 5, 3, 2**32 + 4, 7]
    found = engine.sample([Request("Is tax right?\nResponse:", seed) for seed in seeds])
    assert found[0] == found[2] and len({response.text for response in found}) == 4
    assert engine.sample([Request("Is tax right?\nResponse:", 7)]) == found[4:]


def test_the_draws_follow_the_distribution():
    """20,000 rows of one distribution: frequencies within 4 standard errors of the probabilities."""
    logits = torch.tensor([2.0, 1.0, 0.0, -torch.inf])
    rows = 20_000
    draw = SeededDraws(list(range(rows)), temperature=0.5, steps=1)
    drawn = draw(logits.expand(rows, 4), torch.arange(rows), torch.zeros(rows, dtype=torch.long)).bincount(minlength=4) / rows
    expected = (logits / 0.5).softmax(0)
    error = 4 * (expected * (1 - expected) / rows).sqrt()
    assert ((drawn - expected).abs() <= error).all()
    assert drawn[3] == 0


def test_an_engine_gives_one_response_per_request_in_order(tiny_base):
    texts = ["Is this a long question that comes first?", "Short?", "Is this a long question that comes first?"]
    engine = engine_of(tiny_base / "final", max_new_tokens=5, temperature=0)
    found = engine.sample([Request(text, 0) for text in texts])
    assert found[0] == found[2] and len(found) == 3
    assert engine.sample([]) == []


def test_greedy_tokens_go_on_past_the_end_tokens_and_begin_with_the_greedy_response(tiny_base):
    engine = engine_of(tiny_base / "final", temperature=0)
    prompts = engine.tokenization.encode([request.prompt for request in ASKED])
    found = engine.greedy(prompts, 12)
    assert {len(tokens) for tokens in found} == {12}
    engine.tokenization.ends.add(found[0][4])
    assert engine.greedy(prompts, 12) == found
    response = engine.sample(ASKED)[0]
    assert response.finish_reason == "stop" and response.n_tokens == found[0].index(found[0][4])
    assert response.text == engine.tokenization.decode(found[0][: response.n_tokens])


@pytest.mark.parametrize("damage", ["missing", "shape", "file"])
def test_a_checkpoint_that_lacks_weights_is_refused(tiny_base, tmp_path, damage):
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_base / "final", folder)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    if damage == "missing":
        weights = {key: value for key, value in weights.items() if key != name}
    else:
        weights[name] = weights[name][:-1].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if damage == "file":
        (folder / "model.safetensors").unlink()
    expected = {"missing": f"damaged lacks {name}, which ", "shape": "damaged cannot be loaded", "file": "damaged cannot be loaded"}
    engine = make_engine(GenerationConfig(), "float32", trust_remote_code=False)
    engine.load(tiny_base / "final", chat=False)
    with pytest.raises(UserError, match=expected[damage]):
        engine.load(folder, chat=False)
