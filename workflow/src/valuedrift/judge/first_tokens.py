"""The places of an answer, read one after another: an opener such as "(" is followed to the option behind it."""

from collections.abc import Callable, Container, Iterable

from valuedrift.judge.backend import Prompt, Reading

PLACES = 3
"""Places of an answer that are read."""

Next = tuple[list[float], int, float]
"""Probabilities of the three options at a prompt's next place, and the likeliest token there with its own."""


def read_places(
    prompts: list[Prompt],
    tokens: list[list[int]],
    room: int,
    openers: Container[int],
    read: Callable[[list[int]], Iterable[tuple[int, Next]]],
) -> list[Reading | str]:
    """The readings of prompts, given as `tokens`, of which a model takes at most `room`.

    `read` takes indices of prompts and gives each with its next place. Where the likeliest token is an opener, it is appended to
    the prompt's tokens, and what the options have behind it counts with its probability.
    """
    weights = {i: 1.0 for i, row in enumerate(tokens) if len(row) <= room}
    letters = {i: [0.0, 0.0, 0.0] for i in weights}
    for _ in range(PLACES):
        followed = {}
        for i, (found, token, p) in read(list(weights)):
            letters[i] = [before + weights[i] * new for before, new in zip(letters[i], found, strict=True)]
            if token in openers and len(tokens[i]) < room:
                tokens[i], followed[i] = [*tokens[i], token], weights[i] * p
        weights = followed
    readings: list[Reading | str] = [f"unscorable: prompt longer than the judge's {room} positions"] * len(prompts)
    for i, (a, b, c) in letters.items():
        readings[i] = Reading((a, b, c))
    return readings
