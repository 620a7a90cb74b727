"""Train with a transformers Trainer that can be stopped after any optimizer step and resumed to byte-equal results."""

import json
import shutil
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SkipBatchSampler
from accelerate.utils.constants import FSDP_MODEL_NAME
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers import TrainerCallback

from valuedrift.config.train import TrainingJob
from valuedrift.train.divergence import StopDiverged, check_weights
from valuedrift.train.preemption import Preempted
from valuedrift.train.trajectory import Workspace, log_rows

# Missing in the Trainer's own checkpoint: the loss since the last row of the log, and the sum of all losses for its last row.
COUNTS = ("_total_loss_scalar", "_globalstep_last_logged", "_initial_global_step", "_total_train_tokens")
METRICS = ("_metrics", "_stored_metrics")
"""TRL's metrics since the last row of the log, by mode; CPO and ORPO use the second name."""


def train(trainer: Any, space: Workspace, job: TrainingJob[Any]) -> list[dict[str, Any]]:
    """Train to the end, from the workspace's resume state if there is one; return rows of TRAINING_LOG.

    A state is saved every `save_minutes` (never if 0), and when the process receives a SIGTERM: then Preempted is raised after the
    current step. Weights, log and trajectory are in the end those of a training that was never stopped.
    """
    if space.log is not None:
        return space.log
    _fix_batch_skipping()
    _reduce_in_float32(trainer)
    space.preemption.begin()
    trainer.add_callback(SaveState(trainer, space, job.save_minutes))
    trainer.add_callback(StopDiverged())
    trainer.train(resume_from_checkpoint=str(space.state) if space.state else None)
    return log_rows(job.run, trainer.state.log_history)


class SaveState(TrainerCallback):  # type: ignore[misc]
    """Lets the Trainer save its whole state when one is due, and moves that into the workspace."""

    def __init__(self, trainer: Any, space: Workspace, minutes: float) -> None:
        self.trainer, self.space, self.minutes = trainer, space, minutes
        self.preemption = space.preemption

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.space.state:
            restore_log(self.trainer, json.loads((self.space.state / _log_file(args)).read_text()))

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        # None after the last step: the workspace keeps a state that needs no weights.
        if state.global_step < state.max_steps and (self.preemption.requested or self.preemption.due(self.minutes)):
            check_weights(state.global_step, model)
            control.should_save = True  # the Trainer saves after it has logged the step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        saved = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (saved / _log_file(args)).write_text(json.dumps(log_of(self.trainer)))
        self.space.keep(lambda folder: _move(saved, folder))
        if self.preemption.requested:
            raise Preempted(state.global_step, state.max_steps)


def log_of(trainer: Any) -> dict[str, Any]:
    """Return what the next row of the trainer's log is computed from, as JSON values."""
    counts = {name: getattr(trainer, name) for name in COUNTS if hasattr(trainer, name)}
    metrics = {name: dict(getattr(trainer, name)["train"]) for name in METRICS if hasattr(trainer, name)}
    return {"loss": trainer._tr_loss.item(), "counts": counts, "metrics": metrics}


def restore_log(trainer: Any, kept: dict[str, Any]) -> None:
    """Restore what `log_of` returned."""
    trainer._tr_loss = torch.full_like(trainer._tr_loss, kept["loss"])
    for name, value in kept["counts"].items():
        setattr(trainer, name, value)
    for name, values in kept["metrics"].items():
        getattr(trainer, name)["train"].update(values)


def _reduce_in_float32(trainer: Any) -> None:
    """Make FSDP2 sum gradients over GPUs and micro-batches in float32, as one GPU does in mixed precision.

    accelerate's policy would sum in bfloat16. Called before the Trainer shards the weights.
    """
    plugin = getattr(trainer.accelerator.state, "fsdp_plugin", None)
    if plugin is not None and trainer.args.bf16:
        plugin.mixed_precision_policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, torch.bfloat16)


def _fix_batch_skipping() -> None:
    """Give the sampler that skips the batches of earlier steps the batch size over all processes, as the full sampler has it.

    accelerate 1.15 drops it, so after a resumption the metrics of an epoch's last batch would include the examples that pad it for
    the other processes.
    """
    for name in ("batch_size", "num_processes", "split_batches"):
        setattr(SkipBatchSampler, name, property(attrgetter(f"batch_sampler.{name}")))


def _move(saved: Path, folder: Path) -> None:
    """Move a checkpoint of the Trainer, without the files that it does not read again.

    An adapter in a folder of its own is the reference of TRL's DPO and KTO, recreated from fresh adapters on resumption;
    transformers would load it in place of the trained one. Sharded weights are there twice, and are read from FSDP's file.
    """
    twice = set(saved.glob("model*.safetensors*")) if (saved / f"{FSDP_MODEL_NAME}.bin").exists() else set[Path]()
    for path in saved.iterdir():
        if path not in twice and not (path / "adapter_config.json").exists():
            path.rename(folder / path.name)
    shutil.rmtree(saved)


def _log_file(args: Any) -> str:
    return f"log-{args.process_index}.json"
