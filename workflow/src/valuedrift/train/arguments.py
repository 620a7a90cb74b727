"""Hyperparameters of the study as arguments of the Trainer."""

from pathlib import Path
from typing import Any

import torch

from valuedrift.config.training import TrainingJob


def trainer_arguments(job: TrainingJob, scratch: Path) -> dict[str, Any]:
    """Keyword arguments that every trainer shares. Nothing is saved by the trainer itself and nothing is reported elsewhere."""
    training = job.training
    device_batch = min(training.device_batch_size or training.batch_size, training.batch_size)
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(scratch / "trainer"),
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.epochs,
        "per_device_train_batch_size": device_batch,
        "gradient_accumulation_steps": training.batch_size // device_batch,
        "lr_scheduler_type": training.schedule,
        "warmup_steps": training.warmup,  # below 1 it is a share of the steps
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
        "bf16": on_gpu and job.model.dtype == "bfloat16",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu,
    }
