"""Load models and tokenizers for training, with one minimal chat template and no added tokens."""

import copy
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftLora
from peft import PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from valuedrift.config.models import ModelConfig
from valuedrift.config.train import TrainingConfig
from valuedrift.errors import UserError
from valuedrift.io.manifest import checked, read_manifest
from valuedrift.lm.loading import loading
from valuedrift.train import processes

# Ends with the tokenizer's own EOS, so that a trajectory keeps one vocabulary and one end token. Llama-3.2 base has no template at
# all and Qwen3 base has one that ends with another token. It begins with BOS if the tokenizer has one, as the base model's texts
# did; TRL would add it in SimPO and ORPO only.
CHAT_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
    "{% else %}{{ message['role'] | capitalize + ': ' + message['content'] }}{% endif %}"
    "{% if not loop.last or add_generation_prompt %}{{ '\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
# Tokens that vocabularies reserve for padding or leave unused, best first.
FINAL = "final"
"""Folder of a run's final model, next to its manifest."""
RESERVED = ("<|finetune_right_pad_id|>", "<|reserved_special_token_0|>", "<|fim_pad|>", "<|vision_pad|>", "<pad>", "<unk>")


def load_tokenizer(parent: Path, config: ModelConfig) -> Any:
    """Return the parent's tokenizer with the chat template and a padding token that differs from the end token.

    pad = eos would mask the end token in the loss and corrupt PPO's masks. Raises UserError if the vocabulary has none.
    """
    with loading("the model", parent):
        tokenizer = AutoTokenizer.from_pretrained(parent, trust_remote_code=config.trust_remote_code)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.init_kwargs.pop("local_files_only", None)  # records how it was loaded, and would be saved with every checkpoint
    if tokenizer.eos_token is None:
        raise UserError(f"the tokenizer of {config.path} has no end token: responses could not end")
    own = [] if tokenizer.pad_token in (None, tokenizer.eos_token) else [tokenizer.pad_token]
    candidates = [config.pad_token] if config.pad_token else [*own, *RESERVED]
    vocabulary = tokenizer.get_vocab()
    pad = next((token for token in candidates if token in vocabulary and token != tokenizer.eos_token), None)
    if pad is None:
        raise UserError(
            f"no padding token for {config.path}: none of {', '.join(candidates)} is in its vocabulary apart from its end token; "
            "set the model's `pad_token` to an existing token that texts do not use"
        )
    tokenizer.pad_token = pad
    return tokenizer


def load_model(parent: Path, config: ModelConfig) -> Any:
    """Return the parent's causal language model, from safetensors and in the config's dtype; raises UserError if it is damaged."""
    with loading("the model", parent):
        return AutoModelForCausalLM.from_pretrained(parent, **_options(config))


def load_scorer(parent: Path, config: ModelConfig, pad_token_id: int) -> Any:
    """Return a model with one scalar output; the head is new if the parent is a language model."""
    with loading("the model", parent):
        return AutoModelForSequenceClassification.from_pretrained(
            parent, num_labels=1, pad_token_id=pad_token_id, **_options(config)
        )


def adapted(model: Any, training: TrainingConfig) -> Any:
    """Return the model unchanged, or with the config's low-rank adapters; then only these and a scalar head are trained."""
    lora = training.lora
    if lora is None:
        return model
    if training.gradient_checkpointing:
        model.enable_input_require_grads()
    heads = ["score"] if hasattr(model, "score") else None
    # all-linear leaves out the output layer, or the scalar head, all of whose weights are trained.
    task = "SEQ_CLS" if heads else "CAUSAL_LM"
    return get_peft_model(
        model,
        PeftLora(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type=task,
            modules_to_save=heads,
        ),
    )  # fmt: skip


def merged(model: Any) -> Any:
    """Return a copy of the model with its adapters merged into its weights, or the model itself if it has none.

    A copy, since merging in place and unmerging would round the weights at every checkpoint.
    """
    return copy.deepcopy(model).merge_and_unload() if isinstance(model, PeftModel) else model


def _options(config: ModelConfig) -> dict[str, Any]:
    return {
        "dtype": getattr(torch, config.dtype),
        "trust_remote_code": config.trust_remote_code,
        "use_safetensors": True,
    }


def final_of(manifest: Path) -> tuple[Path, str]:
    """Return folder and weight hash of the final model of a manifest.

    Raises UserError if it is missing, or, in the main process, if its files are not those that the manifest describes: the others
    end with it.
    """
    last = read_manifest(manifest).checkpoints[-1]
    folder = manifest.parent / FINAL
    return (checked(manifest, last, FINAL) if processes.is_main() else folder), last.hash
