"""Responses that a policy samples, and what models say of them; every process does its share and gets the whole."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from peft import PeftModel

from valuedrift.lm.decoding import SeededDraws, continuations
from valuedrift.train import processes
from valuedrift.train.ppo.rollout_batch import Batch, Dialogues, autocast

# What random numbers are drawn for; each purpose has its own streams. A stream is told by the seed, the purpose and the step, and
# never goes on from one step to the next: so a state needs none of them, and neither the rows that are sampled together nor the
# number of processes change a response.
PROMPTS, RESPONSES, MINIBATCHES, HELDOUT = range(4)


def stream(*key: int) -> np.random.Generator:
    """The stream of random numbers of a key: the study's seed, a purpose, a step, ..."""
    return np.random.default_rng(key)


def sample(
    policy: Any, prompts: list[list[int]], key: tuple[int, ...], *, end: int, temperature: float, limit: int, at_once: int | None
) -> Dialogues:
    """One response of at most `limit` tokens to each prompt; row i draws from the stream of (*key, i).

    `at_once` rows are sampled together by each process, all of its share where it is None.
    """
    model: Any = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    rows = list(range(_rank(), len(prompts), processes.count()))
    seeds = [int(np.random.SeedSequence((*key, row)).generate_state(1, np.uint64)[0]) for row in rows]
    draws = SeededDraws(seeds, temperature, limit)
    mode = policy.training
    policy.eval()  # where activations are recomputed, a model in training keeps no cache
    with autocast(model.device):  # as the copy of shared weights samples
        found = continuations(model, [prompts[row] for row in rows], draws, {end}, limit, at_once or max(1, len(rows)))
    policy.train(mode)
    responses = dict(_gathered(list(zip(rows, found, strict=True))))
    return Dialogues(prompts, [responses[row] for row in range(len(prompts))])


@torch.no_grad()
def read(dialogues: Dialogues, size: int, reader: Callable[[Batch], torch.Tensor], device: torch.device) -> torch.Tensor:
    """What the reader tells of each dialogue: (rows,) or rows × longest response, zero behind a response's end."""
    longest = max(map(len, dialogues.responses))
    told: list[tuple[int, torch.Tensor]] = []
    for rows in shares(dialogues, range(len(dialogues)), size):
        numbers = reader(dialogues.batch(rows, device)).float().cpu()
        told += [(row, _widened(one, longest)) for row, one in zip(rows, numbers, strict=True)]
    by_row = dict(_gathered(told))
    return torch.stack([by_row[row] for row in range(len(dialogues))]).to(device)


def shares(dialogues: Dialogues, rows: Sequence[int], size: int) -> Iterator[list[int]]:
    """This process's rows, at most `size` at a time and of similar length, since a batch is as wide as its longest row.

    All processes get as many; where the rows do not suffice for that, some get one that another has too.
    """
    ordered = sorted(rows, key=lambda row: (-dialogues.length(row), row))
    ordered += ordered[:1] * (-len(ordered) % processes.count())
    mine = ordered[_rank() :: processes.count()]
    for start in range(0, len(mine), size):
        yield mine[start : start + size]


def _widened(numbers: torch.Tensor, longest: int) -> torch.Tensor:
    return torch.nn.functional.pad(numbers, (0, longest - len(numbers))) if numbers.ndim else numbers


def _rank() -> int:
    index: int = PartialState().process_index if processes.count() > 1 else 0
    return index


def _gathered(mine: list[Any]) -> list[Any]:
    """The items of all processes."""
    together: list[Any] = gather_object(mine) if processes.count() > 1 else mine
    return together
