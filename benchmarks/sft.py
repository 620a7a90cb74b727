"""Measure tokens per second of SFT and of `trl sft` in one run; on a GPU also for a model of 3B parameters.

    OMP_NUM_THREADS=1 python benchmarks/sft.py results/miniature --alpaca alpaca.json [--conversations 64] [--rounds 2]

Two models: the miniature's base model with its SFT set, and a random one of 4 layers × 512 with a vocabulary of 32,000, trained on
conversations of real length (any file in Alpaca's format). The baseline is the SFTTrainer that `trl sft` runs, with its defaults;
all ways use float32, the same threads, no gradient checkpointing, the same conversations in the same order and the same
optimizer steps, of 8 conversations, which is TRL's default: their losses must agree. Only tokens of conversations count, not
padding. Each round runs all ways in turn, and a way's figure is its best round; on a machine with other load, tokens per second of
processor time are more reliable. With a GPU, a random model of the shape of Llama 3.2 3B is trained in bfloat16 as well, and
its table goes to docs/sft-gpu.md.
"""

import argparse
import contextlib
import io
import json
import logging
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
import trl
from sft_gpu import measure_gpu
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from valuedrift.config.algorithms import job_model
from valuedrift.io.tables import SFT_SET
from valuedrift.train.arguments import trainer_arguments
from valuedrift.train.model import CHAT_TEMPLATE
from valuedrift.train.packing import DocumentTrainer

RATE, BATCH, LENGTH, SEED = 2e-5, 8, 1024, 42
"""TRL's defaults."""
GOAL = 2.0


@dataclass
class Task:
    """A model (created again for each training), its tokenizer and the conversations that it is trained on."""

    name: str
    model: Callable[[], Any]
    tokenizer: Any
    rows: list[dict[str, Any]]


@dataclass
class Result:
    """Wall-clock and processor seconds of one training, and the mean loss of its steps."""

    wall: float
    processor: float
    loss: float


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder of a finished miniature study")
    parser.add_argument("--alpaca", type=Path, help="conversations of real length: JSON with instruction, input and output")
    parser.add_argument("--conversations", type=int, default=64, help="of the random model; the miniature has 32 times as many")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    print(f"torch {torch.__version__}, trl {trl.__version__}, {torch.get_num_threads()} threads, steps of {BATCH} conversations")
    with tempfile.TemporaryDirectory() as folder:
        compare(miniature(arguments.results, arguments.conversations * 32), arguments.rounds, Path(folder))
        if arguments.alpaca:
            task = bigger(arguments.alpaca, arguments.conversations)
            compare(task, arguments.rounds, Path(folder))
            if torch.cuda.is_available():
                measure_gpu(task.tokenizer, Path(folder), Path("docs/sft-gpu.md"))


def miniature(results: Path, count: int) -> Task:
    """Return the miniature's base model and its Alpaca set."""
    folder = results / "runs" / "mini" / "base" / "final"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = CHAT_TEMPLATE
    turns = SFT_SET.read(results / "data" / "alpaca.parquet")["messages"].to_list()[:count]
    return Task("miniature", lambda: AutoModelForCausalLM.from_pretrained(folder), tokenizer, [
        {"prompt": one[:-1], "completion": one[-1:]} for one in turns
    ])  # fmt: skip


def bigger(path: Path, count: int) -> Task:
    """Return a random model; the time of a step does not depend on the weights."""
    rows = json.loads(path.read_text())
    conversations = [
        {"prompt": [{"role": "user", "content": f"{row['instruction']}\n{row['input']}".strip()}],
         "completion": [{"role": "assistant", "content": row["output"]}]}
        for row in random.Random(0).sample(rows, count)
    ]  # fmt: skip

    def model() -> Any:
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(
            vocab_size=32_000, hidden_size=512, intermediate_size=1408, num_hidden_layers=4, num_attention_heads=8,
        ))  # fmt: skip

    return Task(
        "4 layers × 512", model, vocabulary(row["instruction"] + row["input"] + row["output"] for row in rows), conversations
    )


def vocabulary(texts: Any) -> Any:
    """Return a tokenizer of 32,000 tokens, trained on the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=32_000, special_tokens=["<end>", "<pad>"], initial_alphabet=alphabet, show_progress=False),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")
    fast.chat_template = CHAT_TEMPLATE
    return fast


def trl_sft(task: Task, folder: Path) -> Any:
    """Return the trainer of `trl sft`, with float32 instead of bfloat16 and without gradient checkpointing."""
    return trl.SFTTrainer(
        model=task.model(), processing_class=task.tokenizer, train_dataset=datasets.Dataset.from_list(task.rows),
        args=trl.SFTConfig(output_dir=str(folder / "trl"), num_train_epochs=1, bf16=False, gradient_checkpointing=False,
                           use_cpu=not torch.cuda.is_available(), report_to=[], save_strategy="no", disable_tqdm=True),
    )  # fmt: skip


def ours(task: Task, folder: Path, **training: Any) -> Any:
    """Return the study's trainer with TRL's hyperparameters."""
    job = job_model("sft").model_validate({
        "run": "x", "parent": "x", "algorithm": "sft", "dataset": "x", "chosen": None, "seed": SEED, "model": {"path": "x"},
        "training": {"learning_rate": RATE, "batch_size": BATCH, "max_length": LENGTH, "epochs": 1, "schedule": "linear",
                     "warmup": 0, **training},
    })  # fmt: skip
    return DocumentTrainer(
        model=task.model(), training=job.training, processing_class=task.tokenizer,
        train_dataset=datasets.Dataset.from_list(task.rows),
        args=trl.SFTConfig(**{**trainer_arguments(job, folder), "bf16": False}, max_length=LENGTH, completion_only_loss=True),
    )  # fmt: skip


WAYS: dict[str, Callable[[Task, Path], Any]] = {
    "trl sft": trl_sft,
    "ours, `packing: false`": lambda task, folder: ours(task, folder, packing=False),
    "ours, `attention: sdpa`": lambda task, folder: ours(task, folder, attention="sdpa"),
    "ours": ours,
}


def compare(task: Task, rounds: int, folder: Path) -> None:
    """Print a row for each way, and whether the goal is met."""
    measured: dict[str, list[Result]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, build in WAYS.items():
            trainer = build(task, folder)
            measured[way].append(timed(trainer))
            if way == "trl sft":
                real, computed = shape(trainer)
    losses = {way: results[-1].loss for way, results in measured.items()}
    assert max(losses.values()) - min(losses.values()) < 1e-4 * max(losses.values()), losses
    print(
        f"\n{task.name}: {len(task.rows)} conversations, {real} tokens; with padding {computed}, of which {1 - real / computed:.0%}"
    )
    print("\n| | tokens/s | of trl sft | tokens/s of processor time | of trl sft | loss |\n|---|---|---|---|---|---|")
    best = {
        way: [real / min(getattr(r, kind) for r in results) for kind in ("wall", "processor")] for way, results in measured.items()
    }
    wall, processor = best["trl sft"]
    for way, (a, b) in best.items():
        print(f"| {way} | {a:.0f} | {a / wall:.2f} | {b:.0f} | {b / processor:.2f} | {losses[way]:.5f} |")
    ratio = best["ours"][1] / processor
    print(f"\ngoal: at least {GOAL} times trl sft: {'met' if ratio >= GOAL else 'missed'} ({ratio:.2f})", flush=True)


def timed(trainer: Any) -> Result:
    """Train and measure; the trainer's own prints are suppressed."""
    wall, processor = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        loss = trainer.train().training_loss
    return Result(time.perf_counter() - wall, time.process_time() - processor, loss)


def shape(trainer: Any) -> tuple[int, int]:
    """Return the tokens of the trainer's conversations, and of its padded batches."""
    batches = list(trainer.get_train_dataloader())
    return sum(int(batch["attention_mask"].sum()) for batch in batches), sum(batch["input_ids"].numel() for batch in batches)


if __name__ == "__main__":
    main()
