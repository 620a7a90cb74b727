"""Proximal policy optimization (Schulman et al. 2017) against a reward model, on rollouts from the prompts of a preference set."""

import math
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import set_seed

from valuedrift.config.algorithms import PpoConfig
from valuedrift.config.train import TrainingJob
from valuedrift.errors import UserError
from valuedrift.train import processes
from valuedrift.train.fsdp import SamplingCopy, sharded
from valuedrift.train.model import adapted, final_of, load_model, load_scorer, load_tokenizer
from valuedrift.train.pairs import load_pairs
from valuedrift.train.ppo.experience import Environment
from valuedrift.train.ppo.heldout import Heldout
from valuedrift.train.ppo.learner import Learner
from valuedrift.train.ppo.loop import Training
from valuedrift.train.trajectory import describe, identity_of, workspace


def run(*, config: TrainingJob[PpoConfig], parent: Path, reward: Path, data: Path, output: Path) -> None:
    """Optimize the final model of the manifest `parent` against the reward model of the manifest `reward`.

    A step is one batch of rollouts. The log holds reward, KL and response length at every step, and reward and KL on held-out
    prompts (`heldout_*`) before and after training. `reward` includes the penalty for a missing end token, `heldout_reward` does
    not.
    """
    _check(config.training)
    if config.training.lora:
        processes.keep_whole()  # only adapters have gradients and moments, so sharding saves little
    processes.join()
    device = PartialState().device if torch.cuda.is_available() else torch.device("cpu")
    (folder, parent_hash), (reward_folder, reward_hash) = final_of(parent), final_of(reward)
    set_seed(config.seed)
    tokenizer = load_tokenizer(folder, config.model)
    prompts, dropped = prompt_tokens(data, "train", tokenizer, config)
    heldout = prompt_tokens(data, "validation", tokenizer, config)[0][: config.training.heldout]
    manifest = describe(config, parent_hash, data, len(prompts), dropped) | {"reward_hash": reward_hash}
    # Only the policy has adapters: all weights of the value model are trained.
    policy = adapted(load_model(folder, config.model), config.training)
    sampler = SamplingCopy(policy, device)
    policy, reference = sharded(policy, device), sharded(load_model(folder, config.model), device)
    scorer, value = (sharded(load_scorer(reward_folder, config.model, tokenizer.pad_token_id), device) for _ in range(2))
    steps = steps_of(config.training, len(prompts))
    learner = Learner(policy, value, sampler, config.training, steps)
    environment = Environment(reference, scorer, tokenizer.eos_token_id, config.training)
    measure = Heldout(heldout, environment, config.run, config.seed)
    with workspace(output, identity_of(config, manifest)) as space:
        log = Training(config, prompts, learner, environment, measure, steps).run(space, tokenizer)
        space.finish(manifest, log)


def _check(training: PpoConfig) -> None:
    """Raise UserError if the processes cannot share a minibatch equally."""
    size = training.batch_size // training.minibatches
    if size % processes.count():
        fits = max(n for n in range(1, processes.count() + 1) if size % n == 0)
        raise UserError(
            f"a minibatch of {size} (batch_size {training.batch_size} in {training.minibatches}) cannot be shared equally by "
            f"{processes.count()} GPUs; the nearest number below that can is {fits}"
        )


def steps_of(training: PpoConfig, prompts: int) -> int:
    """Return the number of batches of rollouts; the last one may extend into the next pass over the prompts."""
    return math.ceil(int(training.epochs * prompts) / training.batch_size)


def prompt_tokens(data: Path, split: str, tokenizer: Any, config: TrainingJob[PpoConfig]) -> tuple[list[list[int]], int]:
    """Return token ids of the templated prompts, and how many were dropped because they leave no room for a response."""
    prompts = load_pairs(data, config.chosen, split)["prompt"].to_list()
    texts = [tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) for turns in prompts]
    longest = config.training.max_length - config.training.max_response
    tokens = [ids for ids in tokenizer(texts, add_special_tokens=False)["input_ids"] if len(ids) <= longest] if texts else []
    if split == "train" and len(tokens) < config.training.batch_size:
        raise UserError(
            f"{data}: {len(tokens)} prompts are at most {longest} tokens long (max_length less max_response), fewer than one batch "
            f"of {config.training.batch_size}"
        )
    return tokens, len(prompts) - len(tokens)
