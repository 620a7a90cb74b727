"""Compare tokens per second of the transformers engine's loop and of transformers' own ways to sample many prompts, in one run.

    OMP_NUM_THREADS=2 python benchmarks/generate.py results/miniature [--rounds 3] [--questions 30]

There are two models: the miniature's last alpaca checkpoint with its evaluation prompts, and a larger random one. All ways have the
same prompts, end tokens, limit, batch size, temperature 1, float32 and threads (by OMP_NUM_THREADS: torch.set_num_threads does not
reach the thread of generate_batch). Each round runs all ways in turn; the best round of a way counts. On a busy machine, tokens per
CPU second with one thread are the more stable measure; OMP_WAIT_POLICY=PASSIVE helps all ways there.
"""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tabulate import tabulate
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from valuedrift.generate.tokenization import Tokenization
from valuedrift.io.tables import PROMPTS
from valuedrift.lm.decoding import SeededDraws, continuations

BATCH = 64
SAMPLES = 5


@dataclass
class Task:
    """A model, its prompts (each sampled `SAMPLES` times), the tokens that end a response, and the longest response."""

    name: str
    model: Any
    prompts: list[list[int]]
    ends: list[int]
    limit: int

    def tokens(self, rows: list[list[int]]) -> int:
        """Return the number of tokens in the rows, each up to and including its first end token."""
        ends = set(self.ends)
        return sum(next((i + 1 for i, token in enumerate(row) if token in ends), len(row)) for row in rows)


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished miniature study")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=30, help="prompts of the larger model")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} threads, batches of {BATCH}"
    )
    for task in (miniature(arguments.results), larger(arguments.questions)):
        compare(task, arguments.rounds)


def miniature(results: Path) -> Task:
    """Return the study's model after SFT with its evaluation prompts."""
    run = results / "runs" / "mini" / "alpaca"
    words = Tokenization.load(run / "final", chat=True, base_suffix="", trust_remote_code=False)
    questions = PROMPTS.read(results / "prompts" / "prompts.parquet")["question"]
    prompts = words.encode([words.render(question) for question in questions])
    return Task("miniature", AutoModelForCausalLM.from_pretrained(run / "final").eval(), prompts, sorted(words.ends), limit=64)


def larger(questions: int) -> Task:
    """Return a random model; every 50th token ends a response, of 46 tokens on average: random weights are nearly uniform."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32_000, hidden_size=512, intermediate_size=1408, num_hidden_layers=4, num_attention_heads=8, eos_token_id=None,
        bos_token_id=None,
    )  # fmt: skip
    random = np.random.default_rng(0)
    prompts = [random.integers(0, 32_000, random.integers(30, 121)).tolist() for _ in range(questions)]
    return Task("4 layers × 512", LlamaForCausalLM(config).eval(), prompts, list(range(0, 32_000, 50)), limit=128)


def own_loop(task: Task) -> list[list[int]]:
    """Sample by the engine's loop."""
    prompts = repeated(task)
    draws = SeededDraws(list(range(len(prompts))), 1.0, task.limit)
    return continuations(task.model, prompts, draws, set(task.ends), task.limit, BATCH)


def generate_by_length(task: Task) -> list[list[int]]:
    """Sample by the library's `generate`, in batches of similar length."""
    return generate(task, sorted(repeated(task), key=len, reverse=True))


def generate_in_order(task: Task) -> list[list[int]]:
    """Sample by the library's `generate`, in batches in the order of the prompts."""
    return generate(task, repeated(task))


def generate(task: Task, prompts: list[list[int]]) -> list[list[int]]:
    """Return the tokens of each response, from left-padded batches."""
    found: list[list[int]] = []
    for start in range(0, len(prompts), BATCH):
        batch = prompts[start : start + BATCH]
        width = max(map(len, batch))
        tokens = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in batch])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in batch])
        output = task.model.generate(tokens, attention_mask=mask, generation_config=settings(task))
        found += output[:, width:].tolist()
    return found


def continuous_batching(task: Task) -> list[list[int]]:
    """Sample by continuous batching, with shared prefixes and room for a full batch of the longest texts.

    Pages have 32 tokens, since the default of 256 exceeds the texts.
    """
    page = 32
    longest = max(map(len, task.prompts)) + task.limit
    sizes = ContinuousBatchingConfig(
        page_size=page, num_blocks=BATCH * (longest // page + 2), max_batch_tokens=1024, max_requests_per_batch=BATCH
    )
    found = task.model.generate_batch(repeated(task), generation_config=settings(task), continuous_batching_config=sizes)
    return [request.generated_tokens for request in found.values()]


def settings(task: Task) -> GenerationConfig:
    """Return the settings of plain sampling from the whole distribution, as in the engine."""
    return GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=task.limit, eos_token_id=task.ends,
        pad_token_id=task.ends[0],
    )  # fmt: skip


def repeated(task: Task) -> list[list[int]]:
    """Return each prompt `SAMPLES` times."""
    return [prompt for prompt in task.prompts for _ in range(SAMPLES)]


WAYS: dict[str, Callable[[Task], list[list[int]]]] = {
    "transformers engine": own_loop,
    "generate, by length": generate_by_length,
    "generate, in order": generate_in_order,
    "generate_batch": continuous_batching,
}


def compare(task: Task, rounds: int) -> None:
    """Print a table with each way's best round by wall clock and by processor time."""
    print(f"\n{task.name}: {len(task.prompts)} prompts × {SAMPLES}, at most {task.limit} tokens")
    measured: dict[str, list[tuple[int, float, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, sample in WAYS.items():
            wall, processor = time.perf_counter(), time.process_time()
            found = sample(task)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            assert len(found) == len(task.prompts) * SAMPLES, way
            tokens = task.tokens(found)
            measured[way].append((tokens, tokens / wall, tokens / processor))
    engine = max(speed for _, speed, _ in measured["transformers engine"])
    rows = []
    for way, runs in measured.items():
        tokens, speed, per_cpu = runs[-1][0], max(run[1] for run in runs), max(run[2] for run in runs)
        rows.append((way, tokens, speed, per_cpu, f"{speed / engine:.0%}"))
    headers = ["way", "tokens", "tokens/s", "per CPU s", "of the engine"]
    print(tabulate(rows, headers, floatfmt=".0f", colalign=("left", *["right"] * 4)), flush=True)


if __name__ == "__main__":
    main()
