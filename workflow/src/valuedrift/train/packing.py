"""SFT without padding: the conversations of a micro-batch are concatenated into one row, and each attends only to itself."""

import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from trl import SFTTrainer

from valuedrift.config.algorithms import SftConfig
from valuedrift.errors import UserError
from valuedrift.train.attention import DOCUMENTS

IGNORED = -100
"""Label of a token without loss."""
MAX_LOGITS = 2**28
"""Largest number of logits of a micro-batch that is held at once: 1 GiB in float32. TRL's chunks of 256 tokens, which need little
memory, compute the output layer again in the backward pass: with 32,000 tokens and 512 dimensions 1.8 to 2 times the processor
time."""


def packed(examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one row of the examples' tokens, with positions that restart at 0 in each example.

    `labels` ignore every first token, which its left neighbour, of another conversation, must not predict. `document_lengths`,
    `cu_seq_lens_*` (int32, the start of each conversation, and the end) and `max_length_*` give the boundaries to the attention.
    """
    lengths = [len(example["input_ids"]) for example in examples]
    labels = [[IGNORED, *example["labels"][1:]] for example in examples]
    starts = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
    return {
        "input_ids": torch.tensor([[token for example in examples for token in example["input_ids"]]]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "labels": torch.tensor([[label for row in labels for label in row]]),
        "document_lengths": lengths,
        "cu_seq_lens_q": starts,
        "cu_seq_lens_k": starts,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


class DocumentTrainer(SFTTrainer):  # type: ignore[misc]
    """TRL's SFT, by default with `packed` micro-batches: the same examples in each optimizer step and, but for rounding, one loss.

    Outside of training steps the model has its usual attention, which takes padded batches and caches.
    """

    def __init__(self, *, model: Any, training: SftConfig, **arguments: Any) -> None:
        super().__init__(model=model, data_collator=packed if training.packing else None, **arguments)
        self.attention = attention_of(model, training)
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        longest = self.args.per_device_train_batch_size * training.max_length
        self.at_once = (
            training.packing
            and longest * whole.config.get_text_config().vocab_size <= MAX_LOGITS
            and "logits_to_keep" in inspect.signature(whole.forward).parameters
            and self.model_accepts_loss_kwargs
            and not self.aux_loss_enabled
        )

    def training_step(self, *arguments: Any, **named: Any) -> Any:
        """Run forward and backward pass of one micro-batch with the same attention, which recomputed activations need too."""
        with _attention(self.model.config, self.attention):
            return super().training_step(*arguments, **named)

    def loss_sum(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Return the sum of the losses of a batch's answer tokens and their number (2,), outside of training steps."""
        tokens = (inputs["labels"][..., 1:] != IGNORED).sum()
        with _attention(self.model.config, self.attention):
            mean = self.compute_loss(model, inputs)
        return torch.stack([mean.double() * tokens, tokens.double()])

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Return this micro-batch's part of the step's mean loss over the answers' tokens; outside of a step the mean of its own.

        In a step it is multiplied by the number of processes, over which gradients are averaged. Logits are computed only where an
        answer's token is predicted.
        """
        if not self.at_once:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        targets = inputs.pop("labels")[0, 1:]
        positions = (targets != IGNORED).nonzero()[:, 0]
        outputs = model(**inputs, logits_to_keep=positions, use_cache=False)
        logits, targets = outputs.logits[0].float(), targets[positions]
        logprobs = logits.log_softmax(-1)
        losses = -logprobs.gather(-1, targets[:, None])
        if num_items_in_batch is None:
            return (losses.mean(), outputs) if return_outputs else losses.mean()
        loss = losses.sum() / num_items_in_batch
        self._log_metrics(logprobs.detach(), targets, inputs["input_ids"].numel())
        if self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _log_metrics(self, logprobs: torch.Tensor, targets: torch.Tensor, tokens: int) -> None:
        """Add what TRL logs next to the loss; `logprobs` has one row of log probabilities for each target."""
        entropy = sum(-(part.exp() * part).sum() for part in torch.split(logprobs, 64))  # small parts stay in the processor's cache
        correct = (logprobs.argmax(-1) == targets).sum()
        sums = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=targets.device)
                            for value in (entropy, correct, targets.numel(), tokens)])  # fmt: skip
        entropies, hits, answers, seen = self.accelerator.reduce(sums, "sum").tolist()
        self._total_train_tokens += int(seen)
        metrics = self._metrics["train"]
        metrics["entropy"].append(entropies / answers)
        metrics["mean_token_accuracy"].append(hits / answers)
        metrics["num_tokens"] = [self._total_train_tokens]


def attention_of(model: Any, training: SftConfig) -> str:
    """Return the attention of training steps, by its name in transformers.

    Raises UserError for a kernel that is not installed, and for models in which packed conversations would mix.
    """
    usual: str = model.config._attn_implementation
    text = model.config.get_text_config()
    carried = set(getattr(text, "layer_types", None) or []) - {"full_attention", "sliding_attention"}
    if training.packing and (carried or model._is_stateful or not model._supports_attention_backend):
        raise UserError(
            f"conversations packed into one row would mix in a {text.model_type} model, which passes state from token to "
            "token outside of attention: set sft's `packing: false`"
        )
    if training.attention == "documents":
        return DOCUMENTS if training.packing else usual
    try:
        model.set_attn_implementation(training.attention)
    except (ImportError, ValueError) as error:
        raise UserError(f"sft's `attention: {training.attention}` does not work here: {str(error).splitlines()[0]}") from error
    model.set_attn_implementation(usual)
    return training.attention


@contextmanager
def _attention(config: Any, name: str) -> Iterator[None]:
    usual = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = usual
