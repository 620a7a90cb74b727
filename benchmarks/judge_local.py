"""Local judging against lm-eval's multiple choice: same model, prompts, options and threads, in one run.

    python benchmarks/judge_local.py results/miniature

Each round judges all prompts by each way in turn; the fastest round of a way counts, since other work of the machine can only slow
it down. On a busy machine, processor time is more reliable than wall clock.
Both sides use the single tokens " A", " B" and " C" as options, so that the probabilities must be equal.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tabulate import tabulate
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from valuedrift.config.judge import JudgeConfig
from valuedrift.io.tables import GENERATIONS, PROMPTS
from valuedrift.judge.backend import Prompt, Reading
from valuedrift.judge.local import LocalReader
from valuedrift.lm.judge_prompt import LETTERS, judge_prompt

Rows = list[tuple[float, ...]]


def main() -> None:
    """Print a table for the study's judge and, if asked, one for a larger model."""
    parser = argparse.ArgumentParser(description="Local judging against lm-eval's multiple choice.")
    parser.add_argument("study", type=Path, help="folder of a finished miniature")
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--large", type=int, default=200, help="prompts for a larger model of random weights")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    logging.disable(logging.WARNING)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{device}, {given.threads} threads, float32, best of {given.rounds} rounds")
    judge, texts = given.study / "world" / "judge", questions(given.study, given.prompts)
    compare("the miniature's judge (2 layers of 96, vocabulary 1,309)", judge, texts, given.rounds)
    if given.large:
        with tempfile.TemporaryDirectory() as folder:
            larger(judge, Path(folder))
            compare("random weights (4 layers of 512, vocabulary 32,000)", Path(folder), texts[: given.large], given.rounds)


def questions(study: Path, count: int) -> list[str]:
    """Return distinct judge prompts about responses of all runs of the study, drawn by a fixed seed."""
    prompts = PROMPTS.read(study / "prompts" / "prompts.parquet").select("prompt_id", "question", "topic")
    sampled = pl.concat([GENERATIONS.read(path) for path in sorted((study / "runs").rglob("generations.parquet"))])
    asked = sampled.join(prompts, on="prompt_id").select("question", "response", "topic").unique().sort(pl.all())
    config = JudgeConfig(path="judge")
    return [judge_prompt(config.prompt, *row) for row in asked.sample(min(count, len(asked)), seed=0).iter_rows()]


def larger(judge: Path, folder: Path) -> None:
    """Save a random model whose vocabulary costs about as much as a real judge's, with the miniature's tokenizer."""
    AutoTokenizer.from_pretrained(judge).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4, "num_attention_heads": 8}
    AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=32_000, max_position_embeddings=512, **sizes)).save_pretrained(folder)


def compare(name: str, judge: Path, texts: list[str], rounds: int) -> None:
    """Print the table of one model."""
    tokenizer = AutoTokenizer.from_pretrained(judge)
    model = AutoModelForCausalLM.from_pretrained(judge, dtype=torch.float32)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    requests = lm_eval_requests(tokenizer, texts)
    ways: dict[str, Callable[[], Rows]] = {f"valuedrift, batches of {n}": local(judge, texts, n) for n in (16, 64)}
    for size in (1, 4, 16, 64):
        ways[f"lm-eval, batches of {size}"] = partial(lm_eval, model, tokenizer, requests, size)
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    found: dict[str, Rows] = {}
    for _ in range(rounds):
        for way, judged in ways.items():
            start = time.perf_counter(), time.process_time()
            found[way] = judged()
            spent[way].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    best = {way: [min(column) for column in zip(*seconds, strict=True)] for way, seconds in spent.items()}
    ours = [min(seconds[i] for way, seconds in best.items() if way.startswith("valuedrift")) for i in range(2)]
    expected = torch.tensor(found["lm-eval, batches of 1"], dtype=torch.float64)
    print(f"\n{name}, {len(texts)} prompts")
    rows = []
    for way, (clock, processor) in best.items():
        difference = (torch.tensor(found[way], dtype=torch.float64) - expected).abs().max().item()
        rows.append((way, len(texts) / clock, clock / ours[0], len(texts) / processor, processor / ours[1], difference))
    headers = ["way", "prompts/s", "ratio", "by processor", "ratio", "difference"]
    print(tabulate(rows, headers, floatfmt=("", ".1f", ".2f", ".1f", ".2f", ".1e")))


def local(judge: Path, texts: list[str], size: int) -> Callable[[], Rows]:
    """Return a function that judges by `LocalReader`, with one token per option."""
    reader = LocalReader(JudgeConfig(path=str(judge), batch_size=size))
    ids = tuple(reader.tokenizer.encode(f" {letter}") for letter in LETTERS)
    assert all(len(one) == 1 for one in ids)
    reader.options.ids = lambda _: ids
    reader.options.openers = set()  # lm-eval reads the first token only
    prompts = [Prompt(text) for text in texts]
    reader(prompts[:4])
    return lambda: [reading.letters for reading in reader(prompts) if isinstance(reading, Reading)]


def lm_eval_requests(tokenizer: Any, texts: list[str]) -> list[Instance]:
    """Return lm-eval's requests for a multiple-choice task: one per option; it runs a prompt once for all three."""
    turns = [[{"role": "user", "content": text}] for text in texts]
    contexts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return [Instance("loglikelihood", {}, (context, f" {letter}"), i) for i, context in enumerate(contexts) for letter in LETTERS]


def lm_eval(model: Any, tokenizer: Any, requests: list[Instance], size: int) -> Rows:
    """Judge by lm-eval, with `size` requests per batch."""
    found = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=size).loglikelihood(requests, disable_tqdm=True)
    p = torch.tensor([logprob for logprob, _ in found], dtype=torch.float64).exp().reshape(-1, len(LETTERS))
    return [tuple(row) for row in p.tolist()]


if __name__ == "__main__":
    main()
