"""The token ids of judge prompts, the same for every backend that runs the model in this process."""

from typing import Any


def prompt_tokens(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """Return the token ids of each prompt up to where the answer begins.

    The prompt is rendered with the model's chat template; if it has none, the answer begins after "Answer:" on a new line.
    """
    if not prompts:
        return []
    if tokenizer.chat_template is None:
        ids: list[list[int]] = tokenizer([f"{prompt}\nAnswer:" for prompt in prompts])["input_ids"]
        return ids
    turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
    texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids
