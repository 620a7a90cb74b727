"""The loop on tiny random models, against the plainest way to do the same: a whole forward pass for each token of each prompt."""

import numpy as np
import pytest
import torch
import transformers

from valuedrift.lm import decoding
from valuedrift.lm.decoding import SeededDraws, continuations, most_likely

SIZE = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
PLAIN = {"eos_token_id": None, "bos_token_id": None, "pad_token_id": None, "tie_word_embeddings": False}
# A sliding window shorter than the texts; and a model with the state of a convolution, which the library's loop samples.
MODELS = {
    "Llama": {}, "Mistral": {"sliding_window": 6}, "Lfm2": {"layer_types": ["conv", "full_attention"]},
}  # fmt: skip
ENDS = {3, 7, 9, 11}
LIMIT = 12


def model_of(name):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**SIZE, **PLAIN, **MODELS[name])
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():  # distributions with a few likely tokens, as a trained model's
        model.get_output_embeddings().weight.mul_(20)
    return model


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return model_of(request.param)


@pytest.fixture(scope="module")
def prompts():
    """Twelve prompts of 1 to 14 tokens, three of them twice."""
    random = np.random.default_rng(1)
    different = [random.integers(12, 50, length).tolist() for length in (3, 9, 5, 5, 12, 1, 7, 14, 8)]
    return different + different[:3]


def plain(model, prompts, temperature):
    """What the loop must find, without batches, caches, padding or its code: NumPy's inverse transform of seeds 0, 1, …"""
    found = []
    for seed, prompt in enumerate(prompts):
        uniforms, tokens = np.random.default_rng(seed).random(LIMIT), list(prompt)
        for uniform in uniforms:
            with torch.inference_mode():
                logits = model(torch.tensor([tokens])).logits[0, -1].numpy().astype(np.float64)
            if temperature == 0:
                tokens.append(int(logits.argmax()))
            else:
                mass = np.exp((logits - logits.max()) / temperature).cumsum()
                tokens.append(int(np.searchsorted(mass, uniform * mass[-1], side="right")))
            if tokens[-1] in ENDS:
                break
        found.append(tokens[len(prompt) :])
    return found


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_batches_caches_and_rows_that_leave_and_join_change_nothing(model, prompts, temperature):
    expected = plain(model, prompts, temperature)
    lengths = {len(row) for row in expected}
    assert LIMIT in lengths and min(lengths) < 4 and len(lengths) > 3  # rows do leave at different times
    draws = SeededDraws(list(range(len(prompts))), temperature, LIMIT)
    for batch_size in (1, 3, 5, 64):
        assert continuations(model, prompts, draws, ENDS, LIMIT, batch_size) == expected


def test_rows_of_different_ages_that_ended_and_stayed_for_a_while_draw_nothing(prompts):
    model, many = model_of("Llama"), prompts * 4
    draws = SeededDraws(list(range(len(many))), 0.7, LIMIT)
    one_by_one = continuations(model, many, draws, ENDS, LIMIT, 1)
    for batch_size in (6, 11, 23):
        assert continuations(model, many, draws, ENDS, LIMIT, batch_size) == one_by_one


def test_greedy_is_the_librarys_greedy(model, prompts):
    found = continuations(model, prompts, most_likely, ENDS, LIMIT, 4)
    for prompt, own in zip(prompts, found, strict=True):
        output = model.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=LIMIT, eos_token_id=sorted(ENDS), pad_token_id=0
        )
        assert own == output[0, len(prompt) :].tolist()


def test_without_end_tokens_all_go_on_to_the_limit(model, prompts):
    for limit in (1, 5):
        assert {len(row) for row in continuations(model, prompts, most_likely, set(), limit, 4)} == {limit}
    assert continuations(model, [], most_likely, ENDS, LIMIT, 4) == []


def test_the_own_loop_runs_all_models_but_those_that_remember_more(monkeypatch, prompts):
    used = []
    monkeypatch.setattr(decoding, "_generate", lambda _model, rows, *_: used.append(len(rows)) or [[1]] * len(rows))
    for name in MODELS:
        continuations(model_of(name), prompts, most_likely, ENDS, LIMIT, 5)
        assert used == ([5, 5, 2] if name == "Lfm2" else [])


def test_prompts_that_are_alike_are_read_once_and_ended_rows_cost_nothing(prompts):
    """Counts the positions that the model computes: each prompt's own once, and at most a third more than tokens are drawn."""
    model, seen = model_of("Llama"), []
    hook = model.register_forward_pre_hook(lambda _module, _args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True)
    alike = [prompts[1]] * 40
    found = continuations(model, alike, SeededDraws(list(range(40)), 1.0, LIMIT), ENDS, LIMIT, 40)
    hook.remove()
    assert seen[0].shape == (1, 9)
    computed, drawn = sum(len(tokens) for tokens in seen[1:]), sum(len(row) - 1 for row in found)
    assert drawn <= computed < drawn / (1 - decoding.FREE)
    assert computed < 0.9 * 40 * (LIMIT - 1)
