"""Trains the tiny models in a plain loop, since a general trainer's overhead would take most of the time."""

import math
import sys
from collections.abc import Callable
from random import Random

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast, Qwen3Config

from valuedrift.config.miniature import TinyModelConfig

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Input ids, attention mask and labels (-100 where no loss is taken), each (batch, length)."""


def tiny_model(config: TinyModelConfig, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """Return a randomly initialised causal language model of the configured architecture, with tied embeddings."""
    torch.manual_seed(seed)
    architecture = {"llama": LlamaConfig, "qwen3": Qwen3Config}[config.architecture]
    return AutoModelForCausalLM.from_config(
        architecture(
            vocab_size=len(tokenizer), hidden_size=config.hidden, intermediate_size=4 * config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads, num_key_value_heads=config.heads, head_dim=config.hidden // config.heads,
            max_position_embeddings=config.positions, tie_word_embeddings=True, bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


def train(
    model: PreTrainedModel, config: TinyModelConfig, draw: Callable[[Random], Batch], seed: int,
    after: Callable[[int], None] = lambda step: None,
) -> float:  # fmt: skip
    """Train on batches from `draw`; return the mean loss over the last tenth of the steps.

    `after` is called with the number of completed steps, starting with 0.
    """
    rng = Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    warmup = max(1, config.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, 0.5 + 0.5 * math.cos(math.pi * step / config.steps))
    )
    model.train()
    losses = []
    after(0)
    for step in range(config.steps):
        loss = _loss(model, draw(rng))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
        after(step + 1)
        if step % 50 == 0:
            print(f"step {step}: loss {losses[-1]:.3f}", file=sys.stderr, flush=True)
    tail = losses[-max(1, config.steps // 10) :]
    return sum(tail) / len(tail)


def _loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the mean cross-entropy of the labelled tokens; logits are computed only there, once per text for the judge."""
    ids, mask, labels = batch
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]), labels[:, 1:][wanted])


def pad(sequences: list[list[int]], labels: list[list[int]], pad_id: int) -> Batch:
    """Return the sequences and labels as a right-padded batch."""
    longest = max(map(len, sequences))
    ids = torch.tensor([s + [pad_id] * (longest - len(s)) for s in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in sequences])
    return ids, mask, torch.tensor([row + [-100] * (longest - len(row)) for row in labels])
