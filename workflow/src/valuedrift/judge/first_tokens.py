"""Reads the first tokens of an answer: an opener such as "(" is followed to the option behind it."""

from collections.abc import Callable, Container, Iterable

from valuedrift.judge.backend import Prompt, Reading

MAX_TOKENS = 3
"""Tokens of an answer that are read: at most two openers and the option."""

NextToken = tuple[list[float], int, float]
"""Probabilities of the three options as a prompt's next token; the most likely token there (its id) and its probability."""


def read_first_tokens(
    prompts: list[Prompt],
    tokens: list[list[int]],
    max_length: int,
    openers: Container[int],
    next_tokens: Callable[[list[int]], Iterable[tuple[int, NextToken]]],
) -> list[Reading | str]:
    """Return the reading of each prompt, or the reason why there is none.

    `tokens` are the prompts' token ids; the model takes at most `max_length` of them. `next_tokens` takes indices of prompts and
    yields each with its next token. If the most likely next token is an opener, it is appended to the prompt's tokens (in place),
    and the probabilities of the options behind it are added, weighted with the opener's probability.
    """
    weights = {i: 1.0 for i, row in enumerate(tokens) if len(row) <= max_length}
    letters = {i: [0.0, 0.0, 0.0] for i in weights}
    for _ in range(MAX_TOKENS):
        followed = {}
        for i, (options, token, p) in next_tokens(list(weights)):
            letters[i] = [before + weights[i] * new for before, new in zip(letters[i], options, strict=True)]
            if token in openers and len(tokens[i]) < max_length:
                tokens[i], followed[i] = [*tokens[i], token], weights[i] * p
        weights = followed
    readings: list[Reading | str] = [f"unscorable: prompt longer than the judge's {max_length} positions"] * len(prompts)
    for i, (a, b, c) in letters.items():
        readings[i] = Reading((a, b, c))
    return readings
