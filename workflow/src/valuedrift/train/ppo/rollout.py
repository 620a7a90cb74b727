"""Sample responses and evaluate them; every process does its share and receives the whole result."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from peft import PeftModel

from valuedrift.lm.decoding import SeededDraws, continuations
from valuedrift.train import processes
from valuedrift.train.ppo.rollout_batch import RolloutBatch, Rollouts, autocast

# Purposes of random numbers; each has its own streams. The seed, the purpose and the step determine a stream, which never continues
# from one step to the next: so a resume state needs none of them, and neither the rows that are sampled together nor the number of
# processes change a response.
PROMPTS, RESPONSES, MINIBATCHES, HELDOUT = range(4)


def stream(*key: int) -> np.random.Generator:
    """Return the random stream of a key: the study's seed, a purpose, a step, ..."""
    return np.random.default_rng(key)


def sample(
    policy: Any, prompts: list[list[int]], key: tuple[int, ...], *, end: int, temperature: float, limit: int, at_once: int | None
) -> Rollouts:
    """Sample one response of at most `limit` tokens to each prompt; row i draws from the stream of (*key, i).

    Each process samples `at_once` rows together, or its whole share if None.
    """
    model: Any = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    rows = list(range(_rank(), len(prompts), processes.count()))
    seeds = [int(np.random.SeedSequence((*key, row)).generate_state(1, np.uint64)[0]) for row in rows]
    draws = SeededDraws(seeds, temperature, limit)
    mode = policy.training
    policy.eval()  # a model in training mode keeps no cache with gradient checkpointing
    with autocast(model.device):  # as the whole copy of sharded weights does
        sampled = continuations(model, [prompts[row] for row in rows], draws, {end}, limit, at_once or max(1, len(rows)))
    policy.train(mode)
    responses = dict(_gathered(list(zip(rows, sampled, strict=True))))
    return Rollouts(prompts, [responses[row] for row in range(len(prompts))])


@torch.no_grad()
def read(rollouts: Rollouts, size: int, reader: Callable[[RolloutBatch], torch.Tensor], device: torch.device) -> torch.Tensor:
    """Return the reader's numbers for all rollouts: (rows,) or (rows, longest response), zero after a response's end."""
    longest = max(map(len, rollouts.responses))
    own: list[tuple[int, torch.Tensor]] = []
    for rows in micro_batches(rollouts, range(len(rollouts)), size):
        numbers = reader(rollouts.batch(rows, device)).float().cpu()
        own += [(row, _padded(one, longest)) for row, one in zip(rows, numbers, strict=True)]
    by_row = dict(_gathered(own))
    return torch.stack([by_row[row] for row in range(len(rollouts))]).to(device)


def micro_batches(rollouts: Rollouts, rows: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield this process's rows, at most `size` at a time and of similar length, since a batch is as wide as its longest row.

    All processes get the same number of rows; where the rows do not divide equally, the longest one is repeated.
    """
    ordered = sorted(rows, key=lambda row: (-rollouts.length(row), row))
    ordered += ordered[:1] * (-len(ordered) % processes.count())
    mine = ordered[_rank() :: processes.count()]
    for start in range(0, len(mine), size):
        yield mine[start : start + size]


def _padded(numbers: torch.Tensor, longest: int) -> torch.Tensor:
    return torch.nn.functional.pad(numbers, (0, longest - len(numbers))) if numbers.ndim else numbers


def _rank() -> int:
    index: int = PartialState().process_index if processes.count() > 1 else 0
    return index


def _gathered(mine: list[Any]) -> list[Any]:
    """Return the items of all processes."""
    together: list[Any] = gather_object(mine) if processes.count() > 1 else mine
    return together
