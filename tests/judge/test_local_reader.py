from math import log

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, MistralConfig, MptConfig

from valuedrift.config.judge import JudgeConfig
from valuedrift.errors import UserError
from valuedrift.judge.backend import Prompt
from valuedrift.judge.local import LocalReader
from valuedrift.judge.options import letter_of
from valuedrift.judge.tokens import prompt_tokens

WORDS = ("support", "neutral", "oppose")
BEGIN = "Your task is to determine the stance of the response towards the given topic.\n"
PROMPTS = [
    Prompt(f"{BEGIN}Response: {text}", WORDS)
    for text in (
        "Legal abortion should be banned.",
        "Yes.",
        "I think it must be welcomed because it helps many people.",
        "It depends.",
    )
]


@pytest.fixture(scope="module")
def config(tiny_world):
    return JudgeConfig(path=str(tiny_world / "judge"), batch_size=2)


def letters(readings):
    return [reading.letters for reading in readings]


def close(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-9)


def plainly(path, prompts):
    """Yield the options' probabilities from one forward pass over each whole prompt, without the code under test."""
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
    for prompt in prompts:
        with torch.no_grad():
            p = model(**tokenizer(f"User: {prompt.text}\nAssistant:", return_tensors="pt")).logits[0, -1].double().softmax(-1)
        meant = [letter_of(tokenizer.decode([i]), prompt.words) for i in range(len(p))]
        yield tuple(sum(p[i].item() for i in range(len(p)) if meant[i] == letter) for letter in range(3))


def shapes_run(reader):
    """Return a list that gets the (rows, width) of each forward pass, padding included."""
    shapes = []
    reader.model.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    return shapes


def test_readings_are_those_of_each_prompt_alone_and_whole(config):
    close(letters(LocalReader(config)(PROMPTS)), plainly(config.path, PROMPTS))


def test_a_reading_does_not_depend_on_other_prompts(config):
    reader = LocalReader(config)
    alone = [reader([prompt])[0] for prompt in PROMPTS]
    many = LocalReader(config.model_copy(update={"batch_size": 64}))
    close(letters(many([*PROMPTS[::-1], Prompt("Another beginning", WORDS)])[3::-1]), letters(alone))
    close(letters(many(PROMPTS[::-1])[::-1]), letters(alone))


def test_words_are_read_as_each_prompt_lists_them(config, tmp_path):
    path = random_model(
        tmp_path, config.path, GPT2Config(vocab_size=900, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    )
    reader = LocalReader(config.model_copy(update={"path": path}))
    plain, turned, none = letters(reader([Prompt(PROMPTS[0].text, words) for words in (WORDS, WORDS[::-1], ())]))
    assert none[0] < plain[0] and none[1] <= plain[1] * (1 + 1e-5) and none[2] < plain[2]
    assert turned[0] - none[0] == pytest.approx(plain[2] - none[2], rel=1e-3)
    assert turned[1] == pytest.approx(plain[1], rel=1e-5)


def test_an_opener_is_followed_to_the_option_behind_it(config):
    """With planned logits: nine in ten answers begin with an opener, behind which A has .8 and B .2."""
    reader = LocalReader(config)
    opener, (a, b, _) = min(reader.options.openers), reader.options.ids(())

    def plan(model, given, output):
        output.logits = torch.full_like(output.logits, -1e9)
        for row, ids in zip(output.logits[:, -1], given[0], strict=True):
            first, second = (a[0], b[0]) if ids[-1] == opener else (opener, a[0])
            row[first], row[second] = (log(0.8), log(0.2)) if ids[-1] == opener else (log(0.9), log(0.1))
        return output

    reader.model.register_forward_hook(plan)
    close(letters(reader(PROMPTS[:2])), [(0.1 + 0.9 * 0.8, 0.9 * 0.2, 0.0)] * 2)


def test_the_common_prefix_runs_through_the_model_once(config):
    many = [Prompt(f"{BEGIN}Response: {'well ' * (i % 3)}{i}.", WORDS) for i in range(40)]
    reader = LocalReader(config.model_copy(update={"batch_size": 8}))
    shapes = shapes_run(reader)
    with_prefix = reader(many)
    (rows, prefix), cached = shapes[0], sum(rows * width for rows, width in shapes)  # the prefix itself comes first
    assert rows == 1 and prefix > 15
    shapes.clear()
    whole = [reading for i in range(0, 40, 2) for reading in reader(many[i : i + 2])]  # two prompts share no prefix
    assert sum(rows * width for rows, width in shapes) - cached > prefix * (len(many) - 8)
    close(letters(with_prefix), letters(whole))


def random_model(folder, tokenizer, config):
    """Save a model of random weights, large enough that its answers differ, and return its folder."""
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4)
    model.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", ["windows", "positions in the cache"])
def test_models_that_cannot_cache_a_prefix_read_whole_prompts(config, tmp_path, kind, capsys):
    """MPT takes positions from the cache: padding between the prefix and the rest changes its answers."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64}
    tiny = MptConfig(vocab_size=900, d_model=32, n_layers=2, n_heads=2)
    if kind == "windows":
        tiny = MistralConfig(vocab_size=900, sliding_window=12, max_position_embeddings=512, **sizes)
    reader = LocalReader(config.model_copy(update={"path": random_model(tmp_path, config.path, tiny)}))
    alone = letters([reader([prompt])[0] for prompt in PROMPTS])
    shapes = shapes_run(reader)
    close(letters(reader(PROMPTS)), alone)
    lengths = sorted(map(len, prompt_tokens(reader.tokenizer, [prompt.text for prompt in PROMPTS])))
    assert shapes[-2:] == [(2, lengths[3]), (2, lengths[1])]
    assert ("reads whole prompts" in capsys.readouterr().err) == (kind != "windows")


def test_a_prompt_that_is_too_long_gives_a_reason_and_leaves_the_others_alone(config):
    found = LocalReader(config)([PROMPTS[0], Prompt("word " * 2000), PROMPTS[1]])
    assert found[1] == "unscorable: prompt longer than the judge's 512 positions"
    close(letters([found[0], found[2]]), plainly(config.path, PROMPTS[:2]))
    assert LocalReader(config)([]) == []


def test_a_missing_judge_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded"):
        LocalReader(JudgeConfig(path=str(tmp_path / "none")))
