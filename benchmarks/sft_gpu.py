"""GPU part of benchmarks/sft.py: a random model of the shape of Llama 3.2 3B in bfloat16. It has not been run on a GPU so far."""

import random
import time
from pathlib import Path
from typing import Any

import datasets
import torch
import trl
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback

from valuedrift.config.algorithms import job_model
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.packing import IGNORED, DocumentTrainer, packed

SHAPE: dict[str, Any] = {
    "vocab_size": 128_256, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24,
    "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True, "max_position_embeddings": 8192,
}  # fmt: skip
LENGTH, HELD, STEPS, WARM = 1024, 8, 12, 4
"""Longest conversation, conversations in a micro-batch and a step, steps, and those of them that are not timed."""
PROMPT_SHARE = 0.3  # of a conversation's tokens, as in Alpaca
GOAL = 0.5


class Clock(TrainerCallback):  # type: ignore[misc]
    """Measures the seconds from the end of the last warm-up step to the end of the last step, synchronized with the device."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        return self.ends[-1] - self.ends[WARM - 1]


def measure_gpu(tokenizer: Any, folder: Path, table: Path, shape: dict[str, Any] = SHAPE, device: str = "cuda") -> None:
    """Train with and without checkpointed activations, and write tokens per second, peak memory and utilisation to the table."""
    ceiling = matrix_ceiling(device)
    lines = [
        "# SFT of a model of 3B parameters on one GPU",
        "",
        f"Random weights in bfloat16, steps of {HELD} packed conversations of at most {LENGTH} tokens, AdamW;",
        "written by benchmarks/sft.py.",
        f"Ceiling: {ceiling / 1e12:.0f} TFLOP/s, the best of square bfloat16 matrix products on the same device.",
        "",
        "| activations | tokens/s | peak memory, GiB | model FLOP/s, share of the ceiling |",
        "|---|---|---|---|",
    ]
    best = 0.0
    for checkpointing in (False, True):
        speed, memory, flops = train_once(tokenizer, folder, shape, device, checkpointing)
        best = max(best, flops / ceiling)
        how = "recomputed" if checkpointing else "kept"
        lines.append(f"| {how} | {speed:.0f} | {memory:.1f} | {flops / ceiling:.0%} |")
    lines += ["", f"Goal: {GOAL:.0%} of the ceiling: {'met' if best >= GOAL else 'missed'}."]
    print("\n".join(["", *lines]))
    table.write_text("\n".join(lines) + "\n")


def train_once(tokenizer: Any, folder: Path, shape: dict[str, Any], device: str, checkpointing: bool) -> tuple[float, float, float]:
    """Return tokens per second, peak memory in GiB and model FLOP per second of the steps after the warm-up."""
    rows = conversations(shape["vocab_size"])
    with torch.device(device):
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**shape)).to(torch.bfloat16)
    job = job_model("sft").model_validate({
        "run": "x", "parent": "x", "algorithm": "sft", "dataset": "x", "chosen": None, "seed": 0,
        "model": {"path": "x", "dtype": "bfloat16"},
        "training": {"batch_size": HELD, "max_length": LENGTH, "epochs": 1, "gradient_checkpointing": checkpointing},
    })  # fmt: skip
    clock = Clock()
    trainer = DocumentTrainer(
        model=model, training=job.training, processing_class=tokenizer, train_dataset=datasets.Dataset.from_list(rows),
        callbacks=[clock], args=trl.SFTConfig(**trainer_arguments(job, folder), max_length=LENGTH, completion_only_loss=True),
    )  # fmt: skip
    made: list[dict[str, Any]] = []
    trainer.data_collator = lambda examples: made.append(packed(examples)) or made[-1]  # the order is the trainer's
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    counted = made[WARM:]
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")
    tokens = sum(batch["input_ids"].numel() for batch in counted)
    flops = sum(model_flops(model, batch) for batch in counted)
    return tokens / clock.seconds, memory, flops / clock.seconds


def conversations(vocabulary: int) -> list[dict[str, list[int]]]:
    """Return conversations of random tokens, with lengths uniform up to the longest."""
    drawn = random.Random(0)
    rows = []
    for _ in range(HELD * STEPS):
        ids = [drawn.randrange(vocabulary) for _ in range(drawn.randint(LENGTH // 8, LENGTH))]
        prompt = int(len(ids) * PROMPT_SHARE)
        rows.append({"input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]})
    return rows


def model_flops(model: Any, batch: dict[str, Any]) -> float:
    """Return the operations that a step needs, forward and twice that backward, without recomputation.

    6 for each weight of the layers and token, 6 for each weight of the output layer and token of an answer, and attention's 2
    products over each document's lower triangle.
    """
    config = model.config
    body = sum(p.numel() for name, p in model.named_parameters() if "embed_tokens" not in name and "lm_head" not in name)
    head = config.vocab_size * config.hidden_size
    answers = int((batch["labels"] != IGNORED).sum())
    pairs = sum(length * (length + 1) / 2 for length in batch["document_lengths"])
    width = config.num_attention_heads * config.head_dim
    return float(6 * body * batch["input_ids"].numel() + 6 * head * answers + 12 * config.num_hidden_layers * width * pairs)


def matrix_ceiling(device: str) -> float:
    """Return operations per second of the fastest square matrix product in bfloat16 among several sizes."""
    best = 0.0
    for size in (4096, 8192, 16384) if device == "cuda" else (512,):
        one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(3):
            one @ other
        if device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(10):
            one @ other
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 10 * 2 * size**3 / (time.perf_counter() - began))
    return best
