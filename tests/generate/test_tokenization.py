import json
import shutil

import pytest

from valuedrift.generate.tokenization import Tokenization

TURNS = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}{% if add_generation_prompt %}A:{% endif %}"


@pytest.fixture
def checkpoint(tiny_base, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_base / "final", folder)
    (folder / "chat_template.jinja").write_text(TURNS)
    return folder


def words(folder, chat=False, suffix="Response:"):
    return Tokenization.load(folder, chat, suffix, trust_remote_code=False)


def test_base_models_are_asked_with_the_suffix_and_chat_models_with_the_template(checkpoint):
    assert words(checkpoint).render("Why?") == "Why?\nResponse:"
    assert words(checkpoint, suffix="").render("Why?") == "Why?"
    assert words(checkpoint, chat=True).render("Why?") == "user: Why?<|endoftext|>A:"


def test_a_tokenizer_that_begins_texts_begins_a_base_models_prompt_alone(checkpoint):
    path = checkpoint / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    first = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing", "single": [first, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}},
    }  # fmt: skip
    path.write_text(json.dumps(tokenizer))
    ((base,), (chat,)) = (words(checkpoint, chat=chat).encode(["Why?"]) for chat in (False, True))
    assert base == [0, *chat] and 0 not in chat


def test_text_comes_back_without_special_tokens_and_space_around_it(checkpoint):
    (tokens,) = words(checkpoint).encode([" It is right. "])
    assert words(checkpoint).decode([*tokens, 0]) == "It is right."


def test_the_end_tokens_are_the_tokenizers_and_the_generation_configs_or_else_the_models(checkpoint):
    path = checkpoint / "generation_config.json"
    own = json.loads(path.read_text())
    for ids, ends in ((5, {0, 5}), ([6, 7], {0, 6, 7}), (None, {0})):
        path.write_text(json.dumps(own | {"eos_token_id": ids}))
        assert words(checkpoint).ends == ends
    path.unlink()
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"eos_token_id": 9}))
    assert words(checkpoint).ends == {0, 9}


def test_no_prompt_has_no_tokens(checkpoint):
    assert words(checkpoint).encode([]) == []
