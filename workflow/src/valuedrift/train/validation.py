"""What a training knows of examples that it does not learn from: measured at its start and at each checkpoint, for its log."""

from collections.abc import Callable
from math import ceil
from typing import Any

import torch
from transformers import TrainerCallback

from valuedrift.config.train import Checkpoints
from valuedrift.train import processes
from valuedrift.train.trajectory import checkpoint_steps

Measure = Callable[[Any, dict[str, Any]], torch.Tensor]
"""The model, which may be wrapped, and a batch → the sum of what is measured and the number that it is divided by (2,)."""


class Validation(TrainerCallback):  # type: ignore[misc]
    """Adds the mean of what `measure` returns over the Trainer's `eval_dataset` to the log, as `metric`, and the examples' number.

    The training itself goes on as without it: nothing here draws a random number.
    """

    def __init__(self, trainer: Any, schedule: Checkpoints, metric: str, measure: Measure) -> None:
        self.trainer, self.schedule, self.metric, self.measure = trainer, schedule, metric, measure
        self.steps: list[int] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.trainer.eval_dataset:
            self.steps = [0, *checkpoint_steps(self.schedule, state.max_steps)]
            self._log(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._log(state)

    def _log(self, state: Any) -> None:
        """Measure if it is time; a resumed training keeps what it has measured in the Trainer's state."""
        step = state.global_step
        if step in self.steps and not any(entry["step"] == step and self.metric in entry for entry in state.log_history):
            total, count = self._sums()
            state.log_history.append({"step": step, self.metric: total / count, "validation_rows": len(self.trainer.eval_dataset)})

    @torch.no_grad()
    def _sums(self) -> tuple[float, float]:
        """Return the sums over all examples, of which each process reads its share.

        All have the same number of batches, since processes that share the weights need each other; what is too many counts 0.
        """
        trainer, found = self.trainer, torch.zeros(2, dtype=torch.float64, device=self.trainer.args.device)
        examples, size = trainer.eval_dataset, trainer.args.per_device_train_batch_size
        own = range(trainer.args.process_index, len(examples), processes.count())
        trainer.model_wrapped.eval()
        for start in range(0, ceil(len(examples) / processes.count()), size):
            rows = own[start : start + size]
            batch = trainer._prepare_inputs(trainer.data_collator([examples[row] for row in rows or [0]]))
            found += bool(rows) * self.measure(trainer.model_wrapped, batch)
        trainer.model_wrapped.train()
        total, count = trainer.accelerator.reduce(found, "sum").tolist()
        return total, count
