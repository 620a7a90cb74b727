"""The study's hyperparameters as arguments of the Trainer."""

from pathlib import Path
from typing import Any

import torch

from valuedrift.config.train import TrainingConfig, TrainingJob
from valuedrift.errors import UserError
from valuedrift.train import processes


def trainer_arguments(job: TrainingJob[Any], scratch: Path) -> dict[str, Any]:
    """Return the keyword arguments that all trainers share. The trainer itself saves nothing and reports to no service.

    float32 weights compute in bfloat16 on GPUs (mixed precision), on one GPU as well as sharded. Raises UserError if the processes
    cannot share a batch.
    """
    training = job.training
    device_batch, accumulation = device_batches(training, processes.count())
    on_gpu = torch.cuda.is_available()
    shared = processes.strategy() == "fsdp2"
    if training.lora:
        processes.keep_whole()  # only adapters have gradients and moments, so sharding saves little
    return {
        "output_dir": str(scratch / "trainer"),
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.epochs,
        "per_device_train_batch_size": device_batch,
        "gradient_accumulation_steps": accumulation,
        "lr_scheduler_type": "constant_with_warmup" if training.schedule == "constant" else training.schedule,
        "warmup_steps": min(training.warmup, 1 - 1e-9),  # below 1 a share of the steps, from 1 on a number of steps
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "gradient_checkpointing": training.gradient_checkpointing,
        "logging_steps": training.logging_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # it would log the mean of earlier losses in place of one that is not finite
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "seed": job.seed,
        "data_seed": job.seed,
        # With the default bf16, DPO on a CPU takes 2.6 times as long.
        "use_cpu": not on_gpu,
        "bf16": on_gpu and _mixed(job),
        "ddp_timeout": int(processes.PEER_TIMEOUT.total_seconds()),
        # Without it FSDP2 would sum the micro-batches of a step unsharded: the gradients of the whole model on every GPU.
        "accelerator_config": {"gradient_accumulation_kwargs": {"sync_each_batch": True}} if shared else {},
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu,
    }


def device_batches(training: TrainingConfig, devices: int) -> tuple[int, int]:
    """Return the examples that a device holds at once, and how many such batches it accumulates for one optimizer step.

    Their product times `devices` is `batch_size`. The first is the largest divisor of a device's share that `device_batch_size`
    allows. Raises UserError if the devices cannot share the batch equally.
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
    """Return True to compute in bfloat16 whatever the weights' type; with bfloat16 weights only sums and losses differ."""
    if job.model.dtype == "float32" or not processes.strategy():
        return True
    if processes.strategy() == "zero3":
        raise UserError(
            "ZeRO-3 keeps a float32 copy of bfloat16 weights, so `dtype: bfloat16` would train differently than on one GPU: set the"
            " model's `dtype: float32`, or `cluster.strategy: fsdp2`"
        )
    return False  # else bfloat16 weights would be trained as float32 when sharded
