"""Judges' prompts as tokens, the same for every backend that runs the model here."""

from typing import Any


def prompt_tokens(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """Ids of each prompt up to where the answer begins: by the model's chat template, or after "Answer:" where it has none."""
    if not prompts:
        return []
    if tokenizer.chat_template is None:
        ids: list[list[int]] = tokenizer([f"{prompt}\nAnswer:" for prompt in prompts])["input_ids"]
        return ids
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids
