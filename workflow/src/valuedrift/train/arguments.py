"""Hyperparameters of the study as arguments of the Trainer."""

from pathlib import Path
from typing import Any

import torch

from valuedrift.config.train import TrainingConfig, TrainingJob
from valuedrift.errors import UserError
from valuedrift.train import processes


def trainer_arguments(job: TrainingJob[Any], scratch: Path) -> dict[str, Any]:
    """Keyword arguments that every trainer shares. Nothing is saved by the trainer itself and nothing is reported elsewhere.

    Weights of float32 are computed with in bfloat16 on GPUs (mixed precision), whether they lie on one of them or are shared.
    Raises UserError where the processes cannot share a batch.
    """
    training = job.training
    device_batch, accumulation = device_batches(training, processes.count())
    on_gpu = torch.cuda.is_available()
    shared = processes.strategy() == "fsdp2"
    if training.lora:
        processes.keep_whole()  # adapters alone have gradients and moments, so sharing saves little
    return {
        "output_dir": str(scratch / "trainer"),
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.epochs,
        "per_device_train_batch_size": device_batch,
        "gradient_accumulation_steps": accumulation,
        "lr_scheduler_type": "constant_with_warmup" if training.schedule == "constant" else training.schedule,
        "warmup_steps": min(training.warmup, 1 - 1e-9),  # below 1 it is a share of the steps, from 1 on a number of them
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "gradient_checkpointing": training.gradient_checkpointing,
        "logging_steps": training.logging_steps,
        "logging_first_step": True,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "seed": job.seed,
        "data_seed": job.seed,
        # With the default bf16, DPO on a CPU takes 2.6 times as long.
        "use_cpu": not on_gpu,
        "bf16": on_gpu and _mixed(job),
        "ddp_timeout": int(processes.PATIENCE.total_seconds()),
        # Without it FSDP2 would sum the micro-batches of a step unsharded: the gradients of the whole model on every GPU.
        "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": True}} if shared else {},
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu,
    }


def device_batches(training: TrainingConfig, devices: int) -> tuple[int, int]:
    """Examples that a device holds at once, and how many such batches it accumulates for its share of one optimizer step.

    Their product times `devices` is `batch_size`. The first is the largest divisor of the share that `device_batch_size` allows.
    Raises UserError where the devices cannot share the batch equally.
    """
    batch = training.batch_size
    if batch % devices:
        divisors = [n for n in range(1, batch + 1) if batch % n == 0]
        counts = [n for n in divisors if n < devices][-1:] + [n for n in divisors if n > devices][:1]
        sizes = [size for size in (batch // devices * devices, (batch // devices + 1) * devices) if size]
        raise UserError(
            f"batch_size {batch} cannot be shared equally by {devices} GPUs: train on {_or(counts)} (`cluster.gpus`), or set a"
            f" batch_size of {_or(sizes)}"
        )
    share = batch // devices
    most = min(training.device_batch_size or share, share)
    held = next(n for n in range(most, 0, -1) if share % n == 0)
    return held, share // held


def _or(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))


def _mixed(job: TrainingJob[Any]) -> bool:
    """Whether to compute in another type than that of the weights; for weights of bfloat16 it changes only sums and losses."""
    if job.model.dtype == "float32" or not processes.strategy():
        return True
    if processes.strategy() == "zero3":
        raise UserError(
            "ZeRO-3 keeps weights of float32 beside those of bfloat16, so `dtype: bfloat16` would mean another training than on one"
            " GPU: set the model's `dtype: float32`, or `cluster.strategy: fsdp2`"
        )
    return False  # else weights of bfloat16 would be trained as float32 where they are shared
