"""Training with a Trainer of transformers that can be stopped after any optimizer step and goes on as if it had not been."""

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

from valuedrift.train.preemption import Interrupted, Interruption
from valuedrift.train.trajectory import Workspace

# What the Trainer's own checkpoint leaves out: the loss since the last row of the log, and the sum of all for its last row.
COUNTS = ("_total_loss_scalar", "_globalstep_last_logged", "_initial_global_step", "_total_train_tokens")
METRICS = ("_metrics", "_stored_metrics")
"""TRL's metrics since the last row of the log, by mode; CPO calls them otherwise."""


def train(trainer: Any, space: Workspace, minutes: float) -> None:
    """Train to the end, from the workspace's state where it holds one.

    A state is left every `minutes` (never where they are 0), and when the process gets a SIGTERM: then Interrupted is raised after
    the step under way. Weights, log and trajectory are at the end those of a training that was never stopped.
    """
    _mend_skipping()
    _reduce_in_float32(trainer)
    with Interruption() as interruption:
        trainer.add_callback(KeepState(trainer, space, interruption, minutes))
        trainer.train(resume_from_checkpoint=str(space.state) if space.state else None)


class KeepState(TrainerCallback):  # type: ignore[misc]
    """Lets the Trainer save its whole state where one is due, and puts that into the workspace."""

    def __init__(self, trainer: Any, space: Workspace, interruption: Interruption, minutes: float) -> None:
        self.trainer, self.space, self.interruption, self.minutes = trainer, space, interruption, minutes

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.space.state:
            restore_log(self.trainer, json.loads((self.space.state / _log_file(args)).read_text()))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # After the last step there is nothing to go on with: the outputs are a matter of seconds.
        if state.global_step < state.max_steps and (self.interruption.requested or self.interruption.due(self.minutes)):
            control.should_save = True  # done by the Trainer when it has logged the step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        saved = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (saved / _log_file(args)).write_text(json.dumps(log_of(self.trainer)))
        self.space.keep(lambda folder: _move(saved, folder))
        if self.interruption.requested:
            raise Interrupted(state.global_step, state.max_steps)


def log_of(trainer: Any) -> dict[str, Any]:
    """What the next row of the trainer's log is made of, as JSON can hold it."""
    counts = {name: getattr(trainer, name) for name in COUNTS if hasattr(trainer, name)}
    metrics = {name: dict(getattr(trainer, name)["train"]) for name in METRICS if hasattr(trainer, name)}
    return {"loss": trainer._tr_loss.item(), "counts": counts, "metrics": metrics}


def restore_log(trainer: Any, kept: dict[str, Any]) -> None:
    """Put back what `log_of` told."""
    trainer._tr_loss = torch.full_like(trainer._tr_loss, kept["loss"])
    for name, value in kept["counts"].items():
        setattr(trainer, name, value)
    for name, values in kept["metrics"].items():
        getattr(trainer, name)["train"].update(values)


def _reduce_in_float32(trainer: Any) -> None:
    """Let FSDP2 sum gradients over GPUs and micro-batches in float32, as one GPU does in mixed precision; accelerate's policy would
    do it in bfloat16. To be called before the Trainer shares the weights."""
    plugin = getattr(trainer.accelerator.state, "fsdp_plugin", None)
    if plugin is not None and trainer.args.bf16:
        plugin.mixed_precision_policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, torch.bfloat16)


def _mend_skipping() -> None:
    """Let the sampler that skips the batches of the steps before tell how large a batch of all processes is, as the whole one does.

    accelerate 1.15 forgets it, so that after a resumption the metrics of an epoch's last batch would count the examples that fill
    it up for the other processes.
    """
    for name in ("batch_size", "num_processes", "split_batches"):
        setattr(SkipBatchSampler, name, property(attrgetter(f"batch_sampler.{name}")))


def _move(saved: Path, folder: Path) -> None:
    """Move a checkpoint of the Trainer, less what it does not read again.

    An adapter in a folder of its own is the reference of TRL's DPO, made anew from fresh adapters; transformers would load it in
    place of the trained one. Weights that processes share lie there twice, and are read from FSDP's file.
    """
    twice = set(saved.glob("model*.safetensors*")) if (saved / f"{FSDP_MODEL_NAME}.bin").exists() else set[Path]()
    for path in saved.iterdir():
        if path not in twice and not (path / "adapter_config.json").exists():
            path.rename(folder / path.name)
    shutil.rmtree(saved)


def _log_file(args: Any) -> str:
    return f"log-{args.process_index}.json"
