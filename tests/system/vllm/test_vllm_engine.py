"""One engine of vLLM walks checkpoints; a second engine, started afresh, checks its answers."""

import json

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from valuedrift.config.generate import GenerationConfig
from valuedrift.errors import UserError
from valuedrift.generate.engine import Request
from valuedrift.generate.responses import check_fingerprint, make_engine
from valuedrift.io.manifest import Checkpoint
from valuedrift.lm.fingerprint import take_fingerprint

pytestmark = pytest.mark.engines
CONFIG = GenerationConfig(engine="vllm", temperature=1.0, max_new_tokens=24, vllm={"cpu_cache": 1, "memory_share": 0.3})
# Long enough for what they share to be remembered: vLLM does so in blocks of 128 tokens on CPUs.
LONG = "Is it right that a state takes more of those who have more? " * 12
REQUESTS = [Request(f"{LONG * (number % 2)}Is tax {number % 20} right?\nResponse:", number) for number in range(60)]


@pytest.fixture(scope="module")
def engine():
    made = make_engine(CONFIG, "float32", False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def reference():
    made = make_engine(CONFIG.model_copy(update={"engine": "transformers"}), "float32", False)
    yield made
    made.close()


def test_after_a_swap_it_answers_as_a_fresh_engine_does(engine, steps):
    answers = []
    for step in steps:
        engine.load(step, chat=False)
        answers.append(engine.sample(REQUESTS))
    assert len({response.text for response in answers[2]}) > 50 and answers[0] != answers[1] != answers[2]
    llm = engine.llm
    engine.load(steps[1], chat=False)
    assert engine.sample(REQUESTS) == answers[1] and engine.llm is llm
    engine.close()
    engine.load(steps[2], chat=False)
    assert engine.sample(REQUESTS) == answers[2] and engine.llm is not llm


def test_a_response_depends_on_its_own_prompt_and_seed_alone(engine, steps):
    engine.load(steps[0], chat=False)
    together = engine.sample(REQUESTS)
    assert engine.sample(REQUESTS[::-1])[::-1] == together
    assert [engine.sample([request])[0] for request in REQUESTS[::7]] == together[::7]
    other = engine.sample([Request(request.prompt, request.seed + 1000) for request in REQUESTS])
    assert sum(a != b for a, b in zip(together, other, strict=True)) > 50


def test_finish_reasons_distinguish_length_and_end_token(engine, steps):
    engine.load(steps[0], chat=False)
    found = engine.sample(REQUESTS)
    assert {(r.finish_reason, r.n_tokens == 24) for r in found} == {("stop", False), ("length", True)}


def test_its_likeliest_tokens_are_those_of_transformers(engine, reference, steps):
    prompts = AutoTokenizer.from_pretrained(steps[0])([request.prompt for request in REQUESTS[:20]])["input_ids"]
    for step in steps:
        engine.load(step, chat=False)
        reference.load(step, chat=False)
        assert engine.greedy(prompts, 16) == reference.greedy(prompts, 16)


def test_the_fingerprint_shows_an_engine_that_was_not_swapped(engine, steps):
    taken = [take_fingerprint(AutoModelForCausalLM.from_pretrained(step), AutoTokenizer.from_pretrained(step)) for step in steps]
    known = [Checkpoint(step=i, path="", hash="", fingerprint=fingerprint) for i, fingerprint in enumerate(taken)]
    for step, own, other in zip(steps, known, known[1:] + known[:1], strict=True):
        engine.load(step, chat=False)
        check_fingerprint(engine, own, exactly=True)
        with pytest.raises(UserError, match=f"step {other.step}: the weights in the engine are not those that were saved"):
            check_fingerprint(engine, other, exactly=True)


def test_a_prompt_without_room_for_its_response_is_refused(engine, steps):
    engine.load(steps[0], chat=False)
    with pytest.raises(UserError, match=r"prompt of \d+ tokens .* into the 512 tokens .* `generation.vllm.max_length`"):
        engine.sample([Request("tax " * 600, 0)])


def test_checkpoints_whose_weights_contradict_their_config_are_refused_and_the_engine_goes_on(engine, steps, planted):
    engine.load(steps[0], chat=False)
    before, llm = engine.sample(REQUESTS[:5]), engine.llm
    name = "model.layers.1.mlp.up_proj.weight"
    lacking = planted("lacking", lambda tensors: tensors.pop(name))
    cut = planted("cut", lambda tensors: tensors.update({name: tensors[name][:100].clone()}))
    with pytest.raises(UserError, match=f"lacking: lacks the tensor {name}"):
        engine.load(lacking, chat=False)
    with pytest.raises(UserError, match=rf"cut: shape of {name} is \(100, 64\), not \(256, 64\)"):
        engine.load(cut, chat=False)
    engine.load(steps[0], chat=False)
    assert engine.sample(REQUESTS[:5]) == before and engine.llm is llm


def test_other_end_tokens_and_another_vocabulary_get_engines_of_their_own(engine, steps, planted, capsys, reference):
    engine.load(steps[0], chat=False)
    plain, llm = engine.sample(REQUESTS), engine.llm
    folder = planted("ending")
    (folder / "model.safetensors").write_bytes((steps[0] / "model.safetensors").read_bytes())
    (word,) = AutoTokenizer.from_pretrained(folder)(" the")["input_ids"]
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [word]}))
    engine.load(folder, chat=False)
    assert engine.llm is not llm
    assert f"differs from {steps[0]}: other end tokens: [0, {word}], not [0]" in capsys.readouterr().err
    cut = [(a, b) for a, b in zip(plain, engine.sample(REQUESTS), strict=True) if a != b]
    assert cut and all(b.finish_reason == "stop" and b.n_tokens < a.n_tokens and a.text.startswith(b.text) for a, b in cut)

    wider = planted("wider")
    tokenizer, model = AutoTokenizer.from_pretrained(wider), AutoModelForCausalLM.from_pretrained(wider)
    tokenizer.add_tokens(["<new>"])
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(wider)
    tokenizer.save_pretrained(wider)
    (wider / "generation_config.json").write_text(path.read_text())
    engine.load(wider, chat=False)
    size = len(tokenizer)
    assert f"differs from {folder}: other vocab_size: {size}, not {size - 1}" in capsys.readouterr().err
    reference.load(wider, chat=False)
    prompts = [[size - 1, 7, 8], [9, 10]]
    assert engine.greedy(prompts, 8) == reference.greedy(prompts, 8)


def test_a_first_checkpoint_that_lacks_a_tensor_is_refused_too(engine, planted):
    engine.close()
    with pytest.raises(UserError, match="vLLM does not accept the model"):
        engine.load(planted("first", lambda tensors: tensors.pop("model.norm.weight")), chat=False)
