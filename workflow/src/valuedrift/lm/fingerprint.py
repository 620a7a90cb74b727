"""A checkpoint's fingerprint: how the model in memory, when it was saved, answered a few fixed prompts."""

from typing import Any

import torch

TEXTS = ("The", "I think that we should", "Question: Is it right to do so?\nAnswer:", "1, 2, 3,")
TOKENS = 8
TIE = 0.05
"""An answer ends where the two best logits lie closer than this: engines that round differently might go on differently."""

Canary = list[tuple[list[int], list[int]]]
"""Token ids of each prompt and of its answer, at most `TOKENS`."""


@torch.no_grad()
def canary(model: Any, tokenizer: Any) -> Canary | None:
    """The model's greedy answers; None for one that gives no tokens, such as a reward model. Leaves the model as it was."""
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
        # The class's own forward: a trainer's wrapper reaches, from a merged copy, into the model that is trained, dropout and all.
        logits = type(model).forward(model, input_ids=ids, use_cache=False).logits[0, -1]
        (best, second), (token, _) = logits.topk(2)
        if best - second < TIE:
            break
        answer.append(int(token))
    return answer
