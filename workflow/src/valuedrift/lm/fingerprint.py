"""A checkpoint's fingerprint: the greedy answers to a few fixed prompts that the model in memory gave when it was saved."""

from typing import Any

import torch

TEXTS = ("The", "I think that we should", "Question: Is it right to do so?\nAnswer:", "1, 2, 3,")
TOKENS = 8
TIE = 0.05
"""An answer ends where the two highest logits are closer than this: engines that round differently could continue differently."""

Fingerprint = list[tuple[list[int], list[int]]]
"""Token ids of each prompt and of its answer, which has at most `TOKENS` tokens."""


@torch.no_grad()
def take_fingerprint(model: Any, tokenizer: Any) -> Fingerprint | None:
    """Return the model's greedy answers, or None if it generates no text, such as a reward model. Restores the model's modes."""
    if not model.can_generate():
        return None
    modes = {module: module.training for module in model.modules()}
    model.eval()  # no dropout, so no random numbers; no gradient checkpointing
    answers = [(prompt, _greedy(model, prompt)) for prompt in tokenizer(list(TEXTS))["input_ids"]]
    for module, training in modes.items():
        module.training = training
    return answers


def _greedy(model: Any, prompt: list[int]) -> list[int]:
    answer = list[int]()
    for _ in range(TOKENS):
        ids = torch.tensor([prompt + answer], device=model.device)
        # The forward of the class: that of the instance may be a trainer's wrapper, which even on a merged copy calls the model in
        # training, with its dropout.
        logits = type(model).forward(model, input_ids=ids, use_cache=False).logits[0, -1]
        (best, second), (token, _) = logits.topk(2)
        if best - second < TIE:
            break
        answer.append(int(token))
    return answer
